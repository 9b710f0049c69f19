//! Checks must be able to fail: with one rule of the core broken on purpose, the suite turns red, and says why.
//!
//! A sabotage breaks its rule for the whole process, and only one of the two test runners gives each test a process of its own.
//! So the test starts this very executable again with a variable in its environment: that child runs one test of the
//! suite under the sabotage and must fail. It works the same under both runners.

use proptest::test_runner::Config;

/// Names the sabotage a child shall suffer from.
#[cfg(feature = "sabotage")]
const VARIABLE: &str = "COUNTERSIGN_CORE_TEST_SABOTAGE";

/// The configuration of a property with so many cases. Breaks the rule that the environment names, in a child.
#[cfg(feature = "sabotage")]
pub(crate) fn config(cases: u32) -> Config {
    match std::env::var(VARIABLE) {
        Ok(name) => {
            countersign_core::sabotage::activate(name.parse().unwrap());
            // What fails on purpose needs no smaller example and leaves nothing behind.
            Config { cases: 1_000, max_shrink_iters: 0, failure_persistence: None, ..Config::default() }
        }
        Err(_) => Config::with_cases(cases),
    }
}

/// The configuration of a property with so many cases.
#[cfg(not(feature = "sabotage"))]
pub(crate) fn config(cases: u32) -> Config {
    Config::with_cases(cases)
}

/// Says that the auditor is to look away, so that it shows what the other judge sees alone.
#[cfg(feature = "sabotage")]
const LOOKS_AWAY: &str = "COUNTERSIGN_CORE_TEST_AUDITOR_LOOKS_AWAY";

/// Whether the auditor of the random sequences looks away; only in a child.
pub(crate) fn auditor_looks_away() -> bool {
    #[cfg(feature = "sabotage")]
    return std::env::var_os(LOOKS_AWAY).is_some();
    #[cfg(not(feature = "sabotage"))]
    false
}

/// Breaks the rule that the environment names, in a child.
pub(crate) fn obey() {
    drop(config(0));
}

/// Runs the random histories in a child under the sabotage; what they print.
#[cfg(feature = "sabotage")]
fn red(sabotage: &str) -> String {
    red_in("histories::whatever_happens_the_book_is_right", &[(VARIABLE, sabotage)])
}

/// Runs the random sequences in a child under the sabotage, judged by the model alone; what they print.
#[cfg(feature = "sabotage")]
fn red_for_the_model(sabotage: &str) -> String {
    let test = "sequences::no_sequence_of_commands_yields_a_permit_without_the_quorum";
    red_in(test, &[(VARIABLE, sabotage), (LOOKS_AWAY, "yes")])
}

#[cfg(feature = "sabotage")]
fn red_in(test: &str, variables: &[(&str, &str)]) -> String {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let sabotage = variables[0].1;
    let printed = [child.stdout, child.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(!child.status.success(), "`{sabotage}` goes unnoticed:\n{printed}");
    printed
}

#[cfg(feature = "sabotage")]
#[test]
fn requesters_who_approve_their_own_requests_are_noticed() {
    let printed = red("self-approval");
    // Whoever lets requesters vote also takes requests that nobody else could agree to: either comes first.
    assert!(
        ["self_approval", "unsatisfiable"].iter().any(|code| printed.contains(&format!("objects: {code}"))),
        "{printed}"
    );
}

#[cfg(feature = "sabotage")]
#[test]
fn an_approval_that_gives_two_permits_is_noticed() {
    let printed = red("double-consume");
    // Once its permit is started the auditor has forgotten the approval.
    assert!(
        ["already_consumed", "unknown"].iter().any(|code| printed.contains(&format!("objects: {code}"))),
        "{printed}"
    );
}

#[cfg(feature = "sabotage")]
#[test]
fn an_overlap_that_is_skipped_is_noticed() {
    let printed = red("skip-overlap");
    assert!(printed.contains("too_early"), "{printed}");
}

#[cfg(feature = "sabotage")]
#[test]
fn glass_that_is_broken_again_in_spite_of_a_debt_is_noticed() {
    let printed = red("forgotten-debt");
    assert!(printed.contains("review_overdue"), "{printed}");
}

#[cfg(feature = "sabotage")]
#[test]
fn a_review_by_who_broke_the_glass_is_noticed() {
    let printed = red("self-review");
    // Whoever lets the opener review also lets in who stands in for them.
    assert!(
        ["self_review", "delegate_reviews"].iter().any(|code| printed.contains(&format!("objects: {code}"))),
        "{printed}"
    );
}

/// Fails unless the auditor objects by one of these codes; whichever it meets first is as good as the others.
#[cfg(feature = "sabotage")]
#[track_caller]
fn objects(sabotage: &str, codes: &[&str]) {
    let printed = red(sabotage);
    assert!(codes.iter().any(|code| printed.contains(&format!("objects: {code}"))), "{printed}");
}

#[cfg(feature = "sabotage")]
#[test]
fn accounts_of_one_human_that_count_twice_are_noticed() {
    // Whatever counts people counts one too many: votes, denials, reviews, who could still agree. Any of it may come first.
    let printed = red("linked-twice");
    assert!(printed.contains("the auditor objects: "), "{printed}");
}

#[cfg(feature = "sabotage")]
#[test]
fn a_freeze_that_holds_nothing_is_noticed() {
    objects("freeze-ignored", &["frozen"]);
}

#[cfg(feature = "sabotage")]
#[test]
fn an_exception_that_is_used_twice_is_noticed() {
    // The auditor forgets an exception once its permit cannot give it back.
    objects("exception-twice", &["unknown", "already_consumed"]);
}

#[cfg(feature = "sabotage")]
#[test]
fn the_token_of_a_workload_that_is_used_twice_is_noticed() {
    objects("workload-twice", &["spent_twice"]);
}

#[cfg(feature = "sabotage")]
#[test]
fn a_vote_that_is_fresh_by_a_step_up_for_something_else_is_noticed() {
    objects("step-up-for-another-request", &["not_fresh"]);
}

#[cfg(feature = "sabotage")]
#[test]
fn the_model_sees_by_itself_what_the_auditor_sees() {
    let printed = red_for_the_model("self-approval");
    assert!(printed.contains("a requester votes") && printed.contains("COUNTERSIGN_SEED="), "{printed}");
    let printed = red_for_the_model("double-consume");
    assert!(printed.contains("used twice"), "{printed}");
    let printed = red_for_the_model("step-up-for-another-request");
    assert!(printed.contains("a proof of something else"), "{printed}");
}
