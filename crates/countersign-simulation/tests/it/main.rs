//! The simulation finds nothing, leads to the same log each time, and notices every rule that is broken on purpose.
//!
//! A rule is broken for a whole process, so each defect is introduced in a process of its own, whatever runs the tests.

use std::process::Command;

use countersign_simulation::{Failure, defects, simulate};

/// Steps of each company.
const STEPS: u64 = 1_000;

/// Companies in the suite; a long run asks for thousands.
const SEEDS: u64 = 12;

/// Within how many companies every defect is noticed.
const NOTICED_WITHIN: &str = "60";

/// Lives through companies, in which enough must happen.
fn live(seeds: impl Iterator<Item = u64>) -> Result<(), Failure> {
    for seed in seeds {
        let run = simulate(seed, STEPS)?;
        assert!(run.entries > 300 && run.permits > 5, "nothing happens: {run:?}");
    }
    Ok(())
}

#[test]
fn nothing_that_must_never_be_happens_in_even_companies() -> Result<(), Failure> {
    live((1..=SEEDS).filter(|seed| seed.is_multiple_of(2)))
}

#[test]
fn nothing_that_must_never_be_happens_in_odd_companies() -> Result<(), Failure> {
    live((1..=SEEDS).filter(|seed| !seed.is_multiple_of(2)))
}

#[test]
fn the_same_seed_leads_to_the_same_log_and_another_to_another() {
    let [once, again, other] = [7, 7, 8].map(|seed| simulate(seed, 300).unwrap());
    assert_eq!(once, again);
    assert_ne!(once.root, other.root);
}

fn assert_noticed(defect: &str) -> std::io::Result<()> {
    let simulate = env!("CARGO_BIN_EXE_countersign-simulate");
    let child = Command::new(simulate).args(["--seeds", NOTICED_WITHIN, "--defect", defect]).output()?;
    let printed = String::from_utf8_lossy(&child.stdout);
    let last = printed.lines().last().unwrap_or_default();
    assert!(!child.status.success() && last.starts_with("seed "), "`{defect}` goes unnoticed: {printed}");
    Ok(())
}

macro_rules! noticed {
    ($($test:ident: $defect:literal,)*) => {
        $(#[test]
        fn $test() -> std::io::Result<()> {
            assert_noticed($defect)
        })*

        /// Those for each of which there is a test above.
        const TRIED: &[&str] = &[$($defect),*];
    };
}

noticed! {
    self_approval_is_noticed: "self-approval",
    double_consume_is_noticed: "double-consume",
    no_overlay_is_noticed: "no-overlay",
    early_acknowledge_is_noticed: "early-acknowledge",
    skip_overlap_is_noticed: "skip-overlap",
    forgotten_debt_is_noticed: "forgotten-debt",
    self_review_is_noticed: "self-review",
    linked_twice_is_noticed: "linked-twice",
    freeze_ignored_is_noticed: "freeze-ignored",
    exception_twice_is_noticed: "exception-twice",
    step_up_for_another_request_is_noticed: "step-up-for-another-request",
    stale_node_is_noticed: "stale-node",
    workload_twice_is_noticed: "workload-twice",
    deactivated_votes_are_noticed: "deactivated-votes",
    expired_approval_is_noticed: "expired-approval",
    forgotten_policy_is_noticed: "forgotten-policy",
    short_quorum_is_noticed: "short-quorum",
    ended_token_is_noticed: "ended-token",
    out_of_scope_is_noticed: "out-of-scope",
    unknown_succeeds_is_noticed: "unknown-succeeds",
    dropped_effect_is_noticed: "dropped-effect",
    frozen_fence_is_noticed: "frozen-fence",
    forgotten_key_is_noticed: "forgotten-key",
    unfollowed_log_is_noticed: "unfollowed-log",
    unfenced_append_is_noticed: "unfenced-append",
    unwatched_clock_is_noticed: "unwatched-clock",
    unknown_is_nothing_is_noticed: "unknown-is-nothing",
}

#[test]
fn every_defect_has_its_test() {
    assert_eq!(defects::defects().collect::<Vec<_>>(), TRIED);
}
