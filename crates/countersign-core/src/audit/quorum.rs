//! Whether people fill the places of a quorum, each human one place only.
//!
//! People are shown to a place one after another. Who finds all places of their groups taken asks those who sit there to move, and they
//! ask on; if in the end somebody finds a free place, all move. (The core goes the other way, from places to people.)

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::roster;
use crate::id::PersonId;
use crate::policy::Policy;
use crate::text::Name;

/// The places of one group.
struct Bench {
    /// Of those who agree, the humans who are members.
    members: BTreeSet<PersonId>,
    places: usize,
    seated: BTreeSet<PersonId>,
}

/// Whether `people` fill so many places of these groups.
pub(super) fn is_met<'a>(
    policy: &'a Policy,
    quorum: &BTreeMap<&'a Name, u32>,
    people: &BTreeSet<PersonId>,
) -> bool {
    let groups: Vec<(PersonId, BTreeSet<&Name>)> = people
        .iter()
        .map(|person| (roster::human(policy, *person), roster::groups_of(policy, *person)))
        .collect();
    let bench = |(group, count): (&&'a Name, &u32)| Bench {
        members: groups
            .iter()
            .filter(|(_, theirs)| theirs.contains(*group))
            .map(|(human, _)| *human)
            .collect(),
        places: usize::try_from(*count).unwrap_or(usize::MAX),
        seated: BTreeSet::new(),
    };
    let mut benches: Vec<Bench> = quorum.iter().map(bench).collect();
    let humans: BTreeSet<PersonId> = groups.iter().map(|(human, _)| *human).collect();
    for human in humans {
        seat(&mut benches, human);
    }
    benches.iter().all(|bench| bench.seated.len() >= bench.places)
}

/// Seats the person, and moves others where that helps.
fn seat(benches: &mut [Bench], person: PersonId) {
    // Who asked for a place on each bench, and from which bench they would come.
    let mut asked: BTreeMap<usize, (PersonId, Option<usize>)> = BTreeMap::new();
    let mut asking = VecDeque::from([(person, None)]);
    while let Some((person, from)) = asking.pop_front() {
        for (number, bench) in benches.iter().enumerate() {
            if !bench.members.contains(&person) || asked.contains_key(&number) {
                continue;
            }
            asked.insert(number, (person, from));
            if bench.seated.len() < bench.places {
                return move_up(benches, &asked, number);
            }
            asking.extend(bench.seated.iter().map(|other| (*other, Some(number))));
        }
    }
}

/// From the free place back to who asked first: everybody moves by one.
fn move_up(benches: &mut [Bench], asked: &BTreeMap<usize, (PersonId, Option<usize>)>, free: usize) {
    let mut to = Some(free);
    while let Some(number) = to {
        let Some(&(person, from)) = asked.get(&number) else { return };
        if let Some(bench) = from.and_then(|from| benches.get_mut(from)) {
            bench.seated.remove(&person);
        }
        if let Some(bench) = benches.get_mut(number) {
            bench.seated.insert(person);
        }
        to = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::policy;

    /// By trying everybody at every place.
    fn is_met_slowly(policy: &Policy, places: &[&Name], people: &BTreeSet<PersonId>) -> bool {
        let Some((group, rest)) = places.split_first() else { return true };
        people.intersection(&policy.groups[*group]).any(|person| {
            let others = people.iter().copied().filter(|other| other != person).collect();
            is_met_slowly(policy, rest, &others)
        })
    }

    /// Whoever is in whichever of three groups, however many of each are needed.
    #[test]
    fn everybody_finds_a_place_if_any_way_of_seating_them_does() {
        let names: [Name; 3] = ["a", "b", "c"].map(|name| name.parse().unwrap());
        let person = |number: u32| PersonId(u128::from(number));
        let (mut met, mut unmet) = (0, 0);
        for drawn in 0..1_u32 << 12 {
            let mut policy = policy();
            policy.groups = (0..3_u32)
                .zip(&names)
                .map(|(group, name)| {
                    let is_in = |bit: &u32| drawn >> (group * 4 + bit) & 1 == 1;
                    (name.clone(), (0..4).filter(is_in).map(person).collect())
                })
                .collect();
            let counts = [1, drawn % 3, (drawn / 3) % 3];
            let quorum: BTreeMap<&Name, u32> = names.iter().zip(counts).collect();
            let places: Vec<&Name> =
                quorum.iter().flat_map(|(name, count)| (0..*count).map(move |_| *name)).collect();
            let people: BTreeSet<PersonId> = (0..4).map(person).collect();
            let expected = is_met_slowly(&policy, &places, &people);
            assert_eq!(is_met(&policy, &quorum, &people), expected, "{:?} {quorum:?}", policy.groups);
            if expected { met += 1 } else { unmet += 1 }
        }
        assert!(met > 500 && unmet > 500, "{met} {unmet}");
    }
}
