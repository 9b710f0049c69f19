//! The index against a naive scan, and everything that can happen to its file.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_api::ledger::EntryListing;
use countersign_ledger::details::commitment;
use countersign_ledger::entry::{Draft, Place as EntryPlace};
use countersign_ledger::hash::leaf_hash;
use proptest::prelude::*;

use super::follow::Follower;
use super::index::{Index, IndexReader};
use super::{Criteria, Direction, Part, Place, Scan, stretch};
use crate::store::memory::MemoryStore;
use crate::store::{Batch, Details, Head, NewEntry, Reader, Store, StoredNode};

const ACTORS: [&str; 3] =
    ["node", "per_00000000000000000000000000000001", "per_00000000000000000000000000000002"];
const CORRELATIONS: [&str; 2] =
    ["cor_00000000000000000000000000000001", "cor_00000000000000000000000000000002"];
const ENVIRONMENTS: [&str; 2] = ["production", "staging"];
const RESOURCES: [&str; 2] = ["webhook-signing/stripe", "payout/limit"];
const VERBS: [&str; 2] = ["rotate", "override"];
const WORDS: [&str; 5] = ["quarter", "quart", "Limit", "rotate", "5000"];

/// What decides about one entry; every number is taken modulo what there is to choose from.
#[derive(Clone, Debug)]
struct Seed {
    kind: usize,
    choice: [usize; 5],
    words: Vec<usize>,
    later_ms: i64,
}

fn seed() -> impl Strategy<Value = Seed> {
    let words = prop::collection::vec(0..WORDS.len(), 0..4);
    (0..8_usize, prop::array::uniform5(0..64_usize), words, 0..3_i64)
        .prop_map(|(kind, choice, words, later_ms)| Seed { kind, choice, words, later_ms })
}

/// An entry as the naive scan sees it.
#[derive(Clone, Debug, Default)]
struct Seen {
    actor: String,
    correlation: String,
    environment: Option<String>,
    kind: String,
    subject: String,
    resource: Option<String>,
    verb: Option<String>,
    time: String,
    words: Vec<String>,
}

/// A log that is written entry by entry, and what a reader of it should find.
struct Log {
    store: MemoryStore,
    head: Head,
    sequence: BTreeMap<String, u32>,
    seen: Vec<Seen>,
}

impl Log {
    fn new() -> Self {
        Self { store: MemoryStore::new(), head: Head::empty(), sequence: BTreeMap::new(), seen: Vec::new() }
    }

    fn of(seeds: &[Seed]) -> Self {
        let mut log = Self::new();
        seeds.iter().for_each(|seed| log.grow(seed));
        log
    }

    fn grow(&mut self, seed: &Seed) {
        let [who, what, place, action, earlier] = seed.choice;
        let pick = |from: &[&str], at: usize| from[at % from.len()].to_owned();
        let (resource, verb) = (pick(&RESOURCES, action), pick(&VERBS, action / 2));
        let number = self.seen.len();
        let before = |prefix: &str| {
            let found: Vec<&Seen> =
                self.seen.iter().filter(|seen| seen.subject.starts_with(prefix)).collect();
            (!found.is_empty()).then(|| found[earlier % found.len()].clone())
        };
        let named = serde_json::json!({ "verb": verb, "resource": resource, "environment": "production" });
        let secret = format!("secret:{resource}@production");
        let id = |prefix: &str| format!("{prefix}_{number:032x}");
        let inherited = |seen: &Seen| (seen.resource.clone(), seen.verb.clone());
        let (kind, subject, data, (resource, verb)) = match (seed.kind, before("apr_"), before("rot_")) {
            (1, Some(seen), _) => {
                ("approval.granted", seen.subject.clone(), serde_json::json!({}), inherited(&seen))
            }
            (2, ..) => (
                "rotation.started",
                id("rot"),
                serde_json::json!({ "secret": secret }),
                (Some(resource), Some("rotate".to_owned())),
            ),
            (3, _, Some(seen)) => {
                ("rotation.advanced", seen.subject.clone(), serde_json::json!({}), inherited(&seen))
            }
            (4, ..) => ("secret.settled", secret, serde_json::json!({}), (Some(resource), None)),
            (5, Some(seen), _) => {
                let data = serde_json::json!({ "about": seen.subject });
                ("incident.opened", id("inc"), data, inherited(&seen))
            }
            (6, ..) => {
                ("person.refused", ACTORS[1].to_owned(), serde_json::json!({ "action": null }), (None, None))
            }
            (7, ..) if number > 0 => {
                let gone = earlier % number;
                self.seen[gone].words.clear();
                (
                    "log.details_redacted",
                    "log".to_owned(),
                    serde_json::json!({ "entries": [gone] }),
                    (None, None),
                )
            }
            _ => (
                "approval.requested",
                id("apr"),
                serde_json::json!({ "action": named }),
                (Some(resource), Some(verb)),
            ),
        };
        let environment = (place % 3 > 0).then(|| pick(&ENVIRONMENTS, place % 3 - 1));
        let words: Vec<String> = seed.words.iter().map(|word| WORDS[*word].to_owned()).collect();
        self.head.time_ms += seed.later_ms;
        let seen = Seen {
            actor: pick(&ACTORS, who),
            correlation: pick(&CORRELATIONS, what),
            environment,
            kind: kind.to_owned(),
            subject,
            resource,
            verb,
            time: countersign_core::time::Time::from_millis(self.head.time_ms).to_string(),
            words,
        };
        self.append(seen, &data);
    }

    fn append(&mut self, seen: Seen, data: &serde_json::Value) {
        let index = self.head.size();
        let details = (!seen.words.is_empty()).then(|| {
            let body = serde_json::json!({ "reason": seen.words.join(", ") }).to_string().into_bytes();
            Details { salt: [7; 32], body }
        });
        let sequence = self.sequence.entry(seen.subject.clone()).or_default();
        *sequence += 1;
        let data = data.to_string();
        let draft = Draft {
            actor: &seen.actor,
            correlation: &seen.correlation,
            data: data.as_bytes(),
            details_sha256: details.as_ref().map(|details| commitment(&details.salt, &details.body)),
            environment: seen.environment.as_deref(),
            kind: &seen.kind,
            subject: &seen.subject,
        };
        let leaf = draft.leaf(EntryPlace { index, subject_seq: *sequence, time: &seen.time }).unwrap();
        let leaf_hash = leaf_hash(&leaf);
        let mut nodes = Vec::new();
        self.head.tree.push_with(leaf_hash, |level, index, hash| {
            if level > 0 && level % 8 == 0 {
                nodes.push(StoredNode { level, index, hash });
            }
        });
        let entry =
            NewEntry { leaf, leaf_hash, subject: seen.subject.clone(), subject_seq: *sequence, details };
        let batch = Batch {
            expected_size: index,
            entries: vec![entry],
            redactions: Vec::new(),
            nodes,
            head: self.head.clone(),
            records: Vec::new(),
            blobs: Vec::new(),
            idempotency: Vec::new(),
        };
        self.store.append(&batch).unwrap();
        self.seen.push(seen);
    }

    /// One entry with these details.
    fn say(&mut self, words: &str) {
        let seen = Seen {
            actor: "node".into(),
            correlation: CORRELATIONS[0].into(),
            kind: "person.claimed".into(),
            subject: ACTORS[1].into(),
            time: "1970-01-01T00:00:00.000Z".into(),
            words: vec![words.to_owned()],
            ..Seen::default()
        };
        self.append(seen, &serde_json::json!({}));
    }

    fn redact(&mut self, index: u64) {
        let seen = Seen {
            actor: "node".into(),
            correlation: CORRELATIONS[0].into(),
            kind: "log.details_redacted".into(),
            subject: "log".into(),
            time: "1970-01-01T00:00:00.000Z".into(),
            ..Seen::default()
        };
        self.append(seen, &serde_json::json!({ "entries": [index] }));
    }

    fn naive(&self, asked: &EntryListing) -> Vec<u64> {
        let fits = |seen: &Seen| {
            let same =
                |asked: &Option<String>, value: &str| asked.as_ref().is_none_or(|asked| asked == value);
            let given = |asked: &Option<String>, value: &Option<String>| asked.is_none() || asked == value;
            let kind = asked.kind.as_ref().is_none_or(|kind| match kind.strip_suffix('*') {
                Some(family) => seen.kind.starts_with(family),
                None => *kind == seen.kind,
            });
            let says = |word: &str| {
                let word = word.to_lowercase();
                seen.words.iter().any(|said| match word.strip_suffix('*') {
                    Some(stem) => said.to_lowercase().starts_with(stem),
                    None => said.to_lowercase() == word,
                })
            };
            same(&asked.actor, &seen.actor)
                && same(&asked.correlation, &seen.correlation)
                && given(&asked.environment, &seen.environment)
                && kind
                && same(&asked.subject, &seen.subject)
                && given(&asked.resource, &seen.resource)
                && given(&asked.verb, &seen.verb)
                && asked.from_time.as_ref().is_none_or(|from| seen.time >= *from)
                && asked.until_time.as_ref().is_none_or(|until| seen.time < *until)
                && asked.text.as_ref().is_none_or(|text| text.split(' ').all(says))
        };
        let mut found: Vec<u64> =
            (0..).zip(&self.seen).filter(|(_, seen)| fits(seen)).map(|(index, _)| index).collect();
        if asked.order.is_some() {
            found.reverse();
        }
        found
    }
}

/// Follows the log to its end and returns how many entries the index held before.
fn follow(follower: &mut Follower, reader: &mut dyn Reader) -> u64 {
    follower.open(reader).unwrap();
    let before = follower.covered();
    while follower.step(reader).unwrap() {}
    before
}

/// All pages of an answer, one after the other.
fn pages(reader: &mut dyn Reader, (place, asked): (&Place, &EntryListing)) -> Vec<u64> {
    let (criteria, direction) = (Criteria::parse(asked).unwrap(), Criteria::direction(asked).unwrap());
    let limit = asked.limit.unwrap_or(50);
    let (mut all, mut from) = (Vec::new(), asked.from);
    loop {
        let size = reader.head().unwrap().size();
        let wanted = Part { from, direction, limit: limit + 1 }.of(criteria.span(reader, size).unwrap());
        let found = match criteria.expression() {
            _ if wanted.span.is_empty() => Vec::new(),
            None => stretch(reader, &wanted).unwrap().iter().map(|entry| entry.index).collect(),
            Some(expression) => IndexReader::open(place).unwrap().find(expression, &wanted).unwrap(),
        };
        all.extend(found.iter().take(limit));
        from = found.get(limit).copied();
        if from.is_none() {
            return all;
        }
    }
}

fn filters() -> impl Strategy<Value = EntryListing> {
    fn one(of: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
        prop::option::weighted(0.25, prop::sample::select(of).prop_map(str::to_owned))
    }
    const KINDS: &[&str] =
        &["approval.*", "approval.granted", "rotation.*", "rotation.started", "incident.opened", "person.*"];
    const TEXTS: &[&str] = &["quarter", "QUART*", "limit rotate", "5000", "quart quarter", "li*"];
    const TIMES: &[&str] = &["1970-01-01T00:00:00.005Z", "1970-01-01T00:00:00.010Z"];
    const SUBJECTS: &[&str] =
        &[ACTORS[1], "secret:payout/limit@production", "apr_00000000000000000000000000000000", "log"];
    let envelope = (one(&ACTORS), one(&CORRELATIONS), one(&ENVIRONMENTS), one(KINDS), one(SUBJECTS));
    let rest =
        (one(&RESOURCES), one(&VERBS), one(&TIMES[..1]), one(&TIMES[1..]), one(TEXTS), one(&["newest"]));
    (envelope, rest, 1..8_usize).prop_map(|(envelope, rest, limit)| {
        let (actor, correlation, environment, kind, subject) = envelope;
        let (resource, verb, from_time, until_time, text, order) = rest;
        EntryListing {
            from: None,
            limit: Some(limit),
            order,
            actor,
            correlation,
            environment,
            kind,
            subject,
            resource,
            verb,
            from_time,
            until_time,
            text,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn filters_agree_with_a_naive_scan_in_any_combination(
        seeds in prop::collection::vec(seed(), 1..40),
        asked in prop::collection::vec(filters(), 1..12),
    ) {
        let mut log = Log::of(&seeds);
        let place = Place::memory();
        let mut follower = Follower::new(place.clone());
        follow(&mut follower, &mut log.store);
        for asked in &asked {
            prop_assert_eq!(pages(&mut log.store, (&place, asked)), log.naive(asked), "{:?}", asked);
        }
    }

    #[test]
    fn a_scan_without_an_index_finds_the_same(seeds in prop::collection::vec(seed(), 1..40), asked in filters()) {
        // What is redacted is gone from a store; this one cannot forget, and the scan believes the store.
        let seeds: Vec<Seed> = seeds.into_iter().filter(|seed| seed.kind != 7).collect();
        let mut log = Log::of(&seeds);
        let size = log.head.size();
        let mut scan = Scan::new(Criteria::parse(&asked).unwrap()).unwrap();
        let (mut found, mut from) = (Vec::new(), 0);
        while from < size {
            let (entries, until) = scan.next(&mut log.store, (from, size)).unwrap();
            prop_assert!(until > from);
            found.extend(entries.iter().map(|entry| entry.index));
            from = until;
        }
        prop_assert_eq!(found, log.naive(&EntryListing { order: None, ..asked }));
    }
}

fn file(folder: &Path) -> Place {
    Place::File(folder.join("search.db"))
}

/// Everything in the folder contains the text nowhere, or somewhere.
fn is_in(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap();
    files.into_iter().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn says(text: &str) -> EntryListing {
    EntryListing { text: Some(text.to_owned()), ..EntryListing::default() }
}

#[test]
fn an_index_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new();
    (0..300).for_each(|number| log.say(&format!("word{number}")));
    assert_eq!(follow(&mut Follower::new(file(folder.path())), &mut log.store), 0);
    log.say("last");
    assert_eq!(follow(&mut Follower::new(file(folder.path())), &mut log.store), 300);
    assert_eq!(pages(&mut log.store, (&file(folder.path()), &says("word299"))), [299]);
    assert_eq!(pages(&mut log.store, (&file(folder.path()), &says("last"))), [300]);
}

#[test]
fn redacted_words_leave_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new();
    (0..500).for_each(|number| log.say(&format!("filler{} words{number}", number % 7)));
    log.say("xyzzyplugh and something else");
    (0..500).for_each(|number| log.say(&format!("filler{} words{number}", number % 7)));
    let mut follower = Follower::new(file(folder.path()));
    follow(&mut follower, &mut log.store);
    assert_eq!(pages(&mut log.store, (&file(folder.path()), &says("xyzzyplugh"))), [500]);
    assert!(is_in(folder.path(), "xyzzyplugh"), "the test must be able to fail");
    log.redact(500);
    follow(&mut follower, &mut log.store);
    assert!(pages(&mut log.store, (&file(folder.path()), &says("xyzzyplugh"))).is_empty());
    assert!(!is_in(folder.path(), "xyzzyplugh") && !is_in(folder.path(), "zzyplugh"));
    let all = EntryListing { kind: Some("person.claimed".into()), ..EntryListing::default() };
    assert_eq!(
        pages(&mut log.store, (&file(folder.path()), &all)).len(),
        1001,
        "the entry itself is still found"
    );
    assert_eq!(pages(&mut log.store, (&file(folder.path()), &says("words499 filler2"))).len(), 2);
}

/// Lists of words are merged and moved when others go, and what moves must leave nothing behind either.
#[test]
fn words_leave_the_disk_in_whatever_order_they_are_redacted() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new();
    let mut follower = Follower::new(file(folder.path()));
    // Long words with nothing in common, so that each stands in full wherever it stands.
    let word = |index: u64| {
        let digest = countersign_ledger::hash::sha256(&index.to_be_bytes()).to_string();
        digest.replace(|c: char| c.is_ascii_digit(), "q")
    };
    for index in 0..400 {
        log.say(&word(index));
        if index % 7 == 0 {
            follow(&mut follower, &mut log.store);
        }
    }
    follow(&mut follower, &mut log.store);
    let mut gone = Vec::new();
    for step in 0..20 {
        for nth in 0..19 {
            let index = (step * 19 + nth) * 173 % 400;
            log.redact(index);
            gone.push(index);
        }
        follow(&mut follower, &mut log.store);
    }
    let left: Vec<u64> =
        gone.iter().copied().filter(|index| is_in(folder.path(), &word(*index)[4..])).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(is_in(folder.path(), &word((20 * 19) * 173 % 400)), "the test must be able to fail");
}

#[test]
fn what_cannot_be_used_is_made_again() {
    type Ruin = fn(&Path);
    let ruin: [(&str, Ruin); 4] = [
        ("missing", |file| std::fs::remove_file(file).unwrap()),
        ("no database", |file| std::fs::write(file, b"something else, long enough to be looked at").unwrap()),
        ("cut off", |path| std::fs::File::options().write(true).open(path).unwrap().set_len(8192).unwrap()),
        ("of another program", |path| {
            rusqlite::Connection::open(path).unwrap().pragma_update(None, "application_id", 7).unwrap();
        }),
    ];
    for (how, ruin) in ruin {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::new();
        (0..300).for_each(|number| log.say(&format!("word{number}")));
        follow(&mut Follower::new(file(folder.path())), &mut log.store);
        ruin(&folder.path().join("search.db"));
        assert_eq!(follow(&mut Follower::new(file(folder.path())), &mut log.store), 0, "{how}");
        assert_eq!(pages(&mut log.store, (&file(folder.path()), &says("word7"))), [7], "{how}");
    }
}

#[test]
fn the_index_of_another_log_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (Log::new(), Log::new());
    (0..40).for_each(|number| one.say(&format!("one{number}")));
    (0..50).for_each(|number| other.say(&format!("other{number}")));
    follow(&mut Follower::new(file(folder.path())), &mut one.store);
    assert_eq!(follow(&mut Follower::new(file(folder.path())), &mut other.store), 0, "a longer log");
    assert!(pages(&mut other.store, (&file(folder.path()), &says("one7"))).is_empty());
    assert_eq!(pages(&mut other.store, (&file(folder.path()), &says("other7"))), [7]);
    assert_eq!(follow(&mut Follower::new(file(folder.path())), &mut one.store), 0, "a shorter log");
    assert_eq!(pages(&mut one.store, (&file(folder.path()), &says("one7"))), [7]);
}

#[test]
fn a_log_that_forks_behind_the_index_is_noticed_while_following() {
    let place = Place::memory();
    let (mut log, mut fork) = (Log::new(), Log::new());
    log.say("same");
    fork.say("same");
    let mut follower = Follower::new(place.clone());
    follow(&mut follower, &mut log.store);
    fork.say("more");
    log.say("other");
    follow(&mut follower, &mut log.store);
    assert!(follower.step(&mut fork.store).unwrap_err().to_string().contains("does not continue the log"));
    follower.discard().unwrap();
    assert_eq!(follow(&mut follower, &mut fork.store), 0);
    assert_eq!(pages(&mut fork.store, (&place, &says("more"))), [1]);
}

#[test]
fn only_its_owner_reads_the_index() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    drop(Index::open(&file(folder.path())).unwrap());
    let mode = std::fs::metadata(folder.path().join("search.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(Direction::default(), Direction::Oldest);
}
