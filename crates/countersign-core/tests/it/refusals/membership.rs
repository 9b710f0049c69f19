//! Who is invited and who is deactivated, and who is not.

use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::permit::Reserve;
use countersign_core::person::{Invite, LONGEST_CLAIM_SECONDS};
use countersign_core::{Actor, Command};

use super::{NOBODY, Walk, ended, walk};
use crate::membership::{
    FAY, claim, claiming, deactivating, deactivation_of, governed, invitation_of, invited, inviting, strict,
};
use crate::script::{approved, requested, requested_by};
use crate::stage::{self, ANA, AUD, BEN, CHLOE, DAN, PAYOUT};

pub(super) fn invite() -> Walk {
    let mut walk = walk();
    let taken = |approval| inviting((FAY, 1), approval);
    walk.refused(Actor::Node, &taken(ApprovalId(9)), "permit/not_a_person");
    walk.refused(BEN, &taken(ApprovalId(9)), "permit/no_rule");
    governed(&mut walk.book);
    walk.refused(BEN, &taken(ApprovalId(9)), "permit/not_an_executor");
    walk.refused(ANA, &taken(ApprovalId(9)), "permit/approval_not_found");
    let other = requested(&mut walk.book, &invitation_of(NOBODY));
    walk.refused(ANA, &taken(other), "permit/action_mismatch");
    ended(&mut walk, &invitation_of(FAY), &taken);
    let mut uncertain = taken(ApprovalId(9));
    if let Command::InvitePerson(invite) = &mut uncertain {
        invite.under = None;
    }
    walk.refused(ANA, &uncertain, "permit/approval_required");
    let id = approved(&mut walk.book, &invitation_of(BEN));
    walk.refused(ANA, &inviting((BEN, 1), id), "person/already_enrolled");
    invited(&mut walk.book, (NOBODY, 1));
    let id = approved(&mut walk.book, &invitation_of(FAY));
    let with = |claim_sha256, claim_seconds: u32| {
        let (claim_seconds, under) = (claim_seconds.try_into().unwrap(), Some((id, stage::parameters())));
        Command::InvitePerson(Invite { person: FAY, claim_sha256, claim_seconds, under })
    };
    let longer = LONGEST_CLAIM_SECONDS + 1;
    walk.refused(ANA, &with(claim(NOBODY, 1), longer), "person/claim_in_use");
    walk.refused(ANA, &with(claim(FAY, 1), longer), "person/invitation_open_too_long");
    walk.happens(ANA, &with(claim(FAY, 1), LONGEST_CLAIM_SECONDS));
    walk.refused(ANA, &taken(id), "permit/approval_consumed");
    invited(&mut walk.book, (FAY, 2));
    walk.refused(Actor::Node, &claiming(FAY, 1), "person/unknown_claim");
    walk.happens(Actor::Node, &claiming(FAY, 2));
    let id = approved(&mut walk.book, &invitation_of(FAY));
    walk.refused(ANA, &inviting((FAY, 3), id), "person/already_enrolled");
    walk
}

pub(super) fn deactivate() -> Walk {
    let mut walk = walk();
    let at_once = |person| deactivating(person, None);
    walk.refused(Actor::Node, &at_once(NOBODY), "permit/not_a_person");
    walk.refused(ANA, &at_once(NOBODY), "permit/no_rule");
    governed(&mut walk.book);
    walk.refused(ANA, &at_once(NOBODY), "permit/not_an_executor");
    walk.refused(CHLOE, &at_once(NOBODY), "person/unknown_person");
    let [asked, voted] = [DAN, ANA].map(|requester| requested_by(&mut walk.book, (requester, PAYOUT)));
    walk.happens(BEN, &Command::Approve(asked.into()));
    walk.happens(BEN, &Command::Approve(voted.into()));
    walk.happens(CHLOE, &at_once(DAN));
    walk.refused(CHLOE, &at_once(DAN), "person/person_deactivated");
    walk.refused(DAN, &Command::Withdraw(asked), "person/deactivated");
    walk.refused(CHLOE, &Command::Approve(asked.into()), "approval/requester_gone");
    let (action, parameters_sha256) = (stage::action(PAYOUT), stage::parameters());
    let reserve = Reserve { action, parameters_sha256, approval: Some(asked), exceptions: Vec::new() };
    walk.refused(ANA, &Command::ReservePermit(reserve), "permit/requester_gone");
    // With two approvers beside who asks, each is needed until a third has come.
    walk.refused(CHLOE, &at_once(BEN), "person/person_still_needed");
    walk.happens(Actor::Node, &stage::claiming(stage::EVE));
    walk.happens(CHLOE, &at_once(BEN));
    walk.refused(CHLOE, &at_once(ANA), "person/person_still_needed");
    walk.happens(CHLOE, &Command::Approve(voted.into()));
    walk.happens(CHLOE, &at_once(AUD));
    under_strict_rules(&mut walk);
    walk
}

/// Where the rules demand consent, nobody goes without.
fn under_strict_rules(walk: &mut Walk) {
    let ask = |walk: &mut Walk, action: &str, voters: [PersonId; 2]| {
        let id = requested(&mut walk.book, action);
        for voter in voters {
            let _ = walk.book.submit(voter, &Command::Approve(id.into()));
        }
        id
    };
    let id = ask(walk, stage::ACTIVATE, [CHLOE, stage::EVE]);
    walk.happens(ANA, &crate::script::activation(strict(), id));
    let id = ask(walk, &invitation_of(FAY), [CHLOE, stage::EVE]);
    walk.happens(ANA, &inviting((FAY, 1), id));
    walk.refused(CHLOE, &deactivating(FAY, None), "permit/approval_required");
    let id = ask(walk, &deactivation_of(FAY), [CHLOE, stage::EVE]);
    walk.happens(CHLOE, &deactivating(FAY, Some(id)));
    walk.refused(Actor::Node, &claiming(FAY, 1), "person/unknown_claim");
}
