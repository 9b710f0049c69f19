//! Censuses against a naive reading of their definition, and forged answers about them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_ledger::census::{Answer, Builder, Census, CensusError, Placed, Prover, Row};
use countersign_ledger::hash::{Hash, empty_root, leaf_hash, node_hash, sha256};
use countersign_ledger::json;
use proptest::prelude::*;

fn row(subject: &str, count: u32, last: u64) -> Row {
    Row { count, last, subject: subject.to_owned() }
}

/// The rows of a log that is given by the subject of each entry.
fn rows_of(log: &[String]) -> Vec<Row> {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for (last, subject) in (0..).zip(log) {
        let before = rows.get(subject.as_str()).map_or(0, |row| row.count);
        rows.insert(subject, row(subject, before + 1, last));
    }
    rows.into_values().collect()
}

/// The tree hash exactly as RFC 6962, 2.1 defines it, by recursion over all leaves.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn naive(rows: &[Row]) -> Census {
    let leaves: Vec<Hash> = rows.iter().map(|row| leaf_hash(&json::to_canonical(row).unwrap())).collect();
    Census { subjects: u64::try_from(rows.len()).unwrap(), root_sha256: naive_root(&leaves) }
}

fn proven(rows: &[Row], wanted: &[String]) -> (Census, BTreeMap<String, Answer>) {
    let mut prover = Prover::new(wanted.iter().cloned().collect());
    for row in rows {
        prover.push(row.clone()).unwrap();
    }
    prover.finish().unwrap()
}

/// The rows an answer shows.
fn shown(answer: &mut Answer) -> Vec<&mut Placed> {
    match answer {
        Answer::Present(placed) => vec![placed],
        Answer::Absent { before, after } => before.iter_mut().chain(after).collect(),
    }
}

/// Every way to bend an answer a little; none may pass.
fn forgeries(honest: &Answer) -> Vec<Answer> {
    let mut forged = Vec::new();
    let mut bend = |bending: &dyn Fn(&mut Placed)| {
        for which in 0..shown(&mut honest.clone()).len() {
            let mut answer = honest.clone();
            bending(shown(&mut answer).swap_remove(which));
            forged.push(answer);
        }
    };
    bend(&|placed| placed.rank += 1);
    bend(&|placed| placed.rank ^= 1);
    bend(&|placed| placed.row.count += 1);
    bend(&|placed| placed.row.last += 1);
    bend(&|placed| placed.row.subject.push('0'));
    bend(&|placed| placed.proof.push(sha256(b"more")));
    bend(&|placed| {
        if placed.proof.pop().is_none() {
            placed.proof.push(sha256(b"instead"));
        }
    });
    bend(&|placed| match placed.proof.first_mut() {
        Some(hash) => hash.0[0] ^= 1,
        None => placed.rank += 1,
    });
    match honest.clone() {
        // Hiding a subject that is there.
        Answer::Present(placed) => {
            forged.push(Answer::Absent { before: Some(placed.clone()), after: None });
            forged.push(Answer::Absent { before: None, after: Some(placed) });
        }
        Answer::Absent { before, after } => {
            forged.extend(after.clone().map(|after| Answer::Absent { before: None, after: Some(after) }));
            forged.extend(before.clone().map(|before| Answer::Absent { before: Some(before), after: None }));
            forged.extend(before.clone().map(Answer::Present));
            forged.extend(after.clone().map(Answer::Present));
            forged.push(Answer::Absent { before: after, after: before });
        }
    }
    forged.push(Answer::Absent { before: None, after: None });
    forged.retain(|answer| answer != honest);
    forged
}

fn subjects() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-c]{1,2}(_[0-9])?", 0..60)
}

proptest! {
    #[test]
    fn a_census_is_the_naive_one_and_answers_truly(log in subjects(), asked in subjects()) {
        let rows = rows_of(&log);
        let mut builder = Builder::new();
        rows.iter().for_each(|row| builder.push(row).unwrap());
        let census = builder.finish();
        prop_assert_eq!(census, naive(&rows));

        let wanted: Vec<String> = asked.into_iter().chain(log.iter().step_by(3).cloned()).collect();
        let (same, answers) = proven(&rows, &wanted);
        prop_assert_eq!(same, census);
        prop_assert_eq!(answers.keys().collect::<BTreeSet<_>>(), wanted.iter().collect::<BTreeSet<_>>());
        for (subject, answer) in &answers {
            let truth = rows.iter().find(|row| row.subject == *subject);
            prop_assert_eq!(census.check(subject, answer), Ok(truth));
        }
    }

    #[test]
    fn no_forged_answer_passes(log in subjects(), asked in subjects()) {
        let rows = rows_of(&log);
        let wanted: Vec<String> = asked.into_iter().chain(log.iter().step_by(5).cloned()).collect();
        let (census, answers) = proven(&rows, &wanted);
        for (subject, answer) in &answers {
            for forged in forgeries(answer) {
                prop_assert!(census.check(subject, &forged).is_err(), "{subject}: {forged:?}");
            }
            for (other, about_it) in &answers {
                let says = census.check(subject, about_it);
                let truth = rows.iter().find(|row| row.subject == *subject);
                // One gap between neighbours can hold several absent subjects; nothing else may be answered by another's proof.
                prop_assert!(says.is_err() || says == Ok(truth), "{subject} by the proof of {other}");
            }
        }
    }
}

#[test]
fn by_hand() {
    let rows = [row("a", 2, 5), row("b", 1, 1), row("c", 3, 4)];
    let [a, b, c] = [
        br#"{"count":2,"last":5,"subject":"a"}"#,
        br#"{"count":1,"last":1,"subject":"b"}"#,
        br#"{"count":3,"last":4,"subject":"c"}"#,
    ]
    .map(|leaf| leaf_hash(leaf));
    let ab = node_hash(&a, &b);
    let (census, answers) = proven(&rows, &["b".to_owned(), "bb".to_owned(), "d".to_owned()]);
    assert_eq!(census, Census { subjects: 3, root_sha256: node_hash(&ab, &c) });
    let placed =
        |rank: usize, proof| Placed { rank: rank.try_into().unwrap(), row: rows[rank].clone(), proof };
    let (b, c) = (placed(1, vec![a, c]), placed(2, vec![ab]));
    assert_eq!(answers["b"], Answer::Present(b.clone()));
    assert_eq!(answers["bb"], Answer::Absent { before: Some(b), after: Some(c.clone()) });
    assert_eq!(answers["d"], Answer::Absent { before: Some(c), after: None });
    let text = serde_json::to_string(&answers).unwrap();
    assert_eq!(serde_json::from_str::<BTreeMap<String, Answer>>(&text).unwrap(), answers);
}

#[test]
fn an_empty_census_shows_that_nobody_has_entries_and_no_other_does() {
    let (census, answers) = proven(&[], &["a".to_owned()]);
    assert_eq!(census, Census { subjects: 0, root_sha256: empty_root() });
    assert_eq!(census.check("a", &answers["a"]), Ok(None));
    let (full, _) = proven(&[row("b", 1, 0)], &[]);
    assert_eq!(full.check("a", &answers["a"]), Err(CensusError::NotEmpty));
}

#[test]
fn rows_out_of_order_twice_or_impossible_are_refused() {
    let mut builder = Builder::new();
    builder.push(&row("b", 1, 0)).unwrap();
    for subject in ["a", "b", "B"] {
        assert_eq!(builder.push(&row(subject, 1, 1)), Err(CensusError::Order), "{subject}");
    }
    assert_eq!(builder.push(&row("c", 0, 1)), Err(CensusError::Count));
    assert_eq!(builder.push(&row("c d", 1, 1)), Err(CensusError::Subject));
    builder.push(&row("c", 1, 1)).unwrap();
    assert_eq!(builder.finish().subjects, 2);
    let mut prover = Prover::new(BTreeSet::new());
    prover.push(row("b", 1, 0)).unwrap();
    assert_eq!(prover.push(row("a", 1, 1)), Err(CensusError::Order));
}

/// The server that leaves out a subject can only do so by a census that whoever counts sees to be wrong.
#[test]
fn neighbours_that_are_not_adjacent_hide_nothing() {
    let rows = [row("a", 1, 0), row("b", 1, 1), row("c", 1, 2), row("d", 1, 3)];
    let (census, answers) = proven(&rows, &["a".to_owned(), "c".to_owned()]);
    let (Answer::Present(a), Answer::Present(c)) = (answers["a"].clone(), answers["c"].clone()) else {
        panic!("both are there")
    };
    let hidden = Answer::Absent { before: Some(a), after: Some(c.clone()) };
    assert_eq!(census.check("b", &hidden), Err(CensusError::NotAdjacent));
    let end = Answer::Absent { before: Some(c), after: None };
    assert_eq!(census.check("d", &end), Err(CensusError::NotAdjacent));
}
