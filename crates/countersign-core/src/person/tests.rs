//! Notes of refusals, invitations and deactivations.

use super::*;
use crate::Command;
use crate::testing::{ANA, BEN, World, payout};

#[test]
fn refusals_are_noted_by_the_node_and_change_nothing_else() {
    let mut world = World::new();
    let note = |person| {
        let count = NonZeroU32::MIN.saturating_add(2);
        let (from, until) = (Time::from_millis(1), Time::from_millis(2));
        Command::NoteRefusals(NoteRefusals {
            person,
            action: Some(payout()),
            code: "self_approval",
            count,
            from,
            until,
        })
    };
    let before = world.state.person(ANA).cloned();
    assert_eq!(world.says(BEN, &note(ANA)), "not_the_node");
    assert_eq!(world.says(Actor::Node, &note(PersonId(99))), "unknown_person");
    assert_eq!(world.says(Actor::Node, &note(ANA)), "person.refused");
    assert_eq!(world.state.person(ANA).cloned(), before);
    world.assert_replays();
}
