//! The demo's story comes out as told, and each sabotage that it can notice turns it red.

use serde_json::Value;

use crate::stage::command;

/// Plays the story; whether it ended well, and its steps.
fn play(sabotage: Option<&str>) -> (bool, Value) {
    play_on("sqlite", sabotage)
}

fn play_on(store: &str, sabotage: Option<&str>) -> (bool, Value) {
    let mut command = command(&["demo", "--story", "--json", "--store", store]);
    if let Some(sabotage) = sabotage {
        command.env("COUNTERSIGN_SABOTAGE", sabotage);
    }
    let output = command.output().unwrap();
    let story: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(story["ok"], output.status.success());
    (output.status.success(), story)
}

/// The names of the steps that did not come out as told.
#[cfg(feature = "sabotage")]
fn wrong(story: &Value) -> Vec<&str> {
    let steps = story["steps"].as_array().unwrap();
    steps.iter().filter(|step| step["ok"] == false).map(|step| step["name"].as_str().unwrap()).collect()
}

#[test]
fn the_story_comes_out_as_told() {
    let (ok, story) = play(None);
    assert!(ok, "{story:#}");
    assert!(story["steps"].as_array().unwrap().len() >= 20);
}

#[test]
fn the_story_comes_out_as_told_with_nodes_that_share_a_database() {
    let (ok, story) = play_on("postgres", None);
    assert!(ok, "{story:#}");
    let steps = story["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["name"].as_str().unwrap().contains("Chloe at the third")));
}

/// Each sabotage is noticed in the step that is about the rule it breaks.
#[cfg(feature = "sabotage")]
mod sabotaged {
    use super::{play, wrong};

    #[track_caller]
    fn check(sabotage: &str, noticed: &str) {
        let (ok, story) = play(Some(sabotage));
        assert!(!ok, "`{sabotage}` was not noticed");
        let wrong = wrong(&story);
        assert!(wrong.iter().any(|step| step.contains(noticed)), "`{sabotage}`: {wrong:?}");
    }

    #[test]
    fn self_approval_is_noticed() {
        check("self-approval", "own approval is refused");
    }

    #[test]
    fn double_consumption_is_noticed() {
        check("double-consume", "exactly one wins");
    }

    #[test]
    fn a_skipped_overlap_is_noticed() {
        check("skip-overlap", "overlap that was approved");
    }

    #[test]
    fn a_ci_token_that_is_good_twice_is_noticed() {
        check("workload-twice", "comes second");
    }

    #[test]
    fn an_invented_outcome_is_noticed() {
        check("invented-outcome", "runs through all stages");
    }
}
