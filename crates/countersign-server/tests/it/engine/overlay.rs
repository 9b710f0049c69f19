//! What the staged overlay is for: without it, of sixteen reservations of one approval in one batch more than one wins.

use countersign_server::store::memory::MemoryStore;

use super::fixture::{self, ANA, by, code};
use crate::child::say;

/// How often sixteen are tried; they must meet in one batch, which is likely each time.
const TRIES: usize = 64;

/// Breaks the rule and says how many won, once more than one did or none of the tries is left.
pub(crate) fn play() {
    #[cfg(feature = "sabotage")]
    countersign_core::sabotage::activate(countersign_core::sabotage::Sabotage::NoOverlay);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let most = runtime.block_on(async {
        let engine = fixture::started(Box::new(MemoryStore::new())).await;
        for _ in 0..TRIES {
            let approval = fixture::approved(&engine).await;
            let attempts: Vec<_> = (0..16)
                .map(|_| {
                    let engine = engine.clone();
                    tokio::spawn(async move { by(&engine, ANA, fixture::reserve(approval)).await })
                })
                .collect();
            let mut winners = 0;
            for attempt in attempts {
                winners += usize::from(code(&attempt.await.expect("the task ends")) == "ok");
            }
            if winners > 1 {
                return winners;
            }
        }
        1
    });
    say(&format!("winners {most}"));
}

#[cfg(feature = "sabotage")]
#[test]
fn without_the_overlay_more_than_one_wins() {
    let mut child = crate::child::Child::start(std::process::Command::new("env"), "no-overlay");
    let winners = child.line().expect("the child says how many won");
    let winners: usize =
        winners.strip_prefix("winners ").and_then(|count| count.parse().ok()).expect("a count");
    assert!(winners > 1, "the sabotage was not noticed");
}
