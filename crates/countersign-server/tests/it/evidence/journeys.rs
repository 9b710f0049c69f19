//! What is collected, and what a verification says about it.

use countersign_core::{Actor, Subject};
use countersign_evidence::bundle::{self, Completeness};
use countersign_evidence::scope::Scope;
use countersign_evidence::verify::Verdict;

use countersign_server::evidence::Limits;

use super::fixture::{Cases, print, verify};
use crate::engine::fixture::ANA;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_verifies_offline_and_says_what_was_checked() {
    let cases = Cases::played().await;
    let bundle = cases.bundle();
    let file = print(&bundle);
    let verified = verify(&file).expect("no lie");
    assert_eq!(bundle.completeness, Completeness::EveryLeaf);
    assert_eq!(u64::try_from(verified.entries), Ok(verified.checkpoint.size));
    // Reserved, started, succeeded.
    assert_eq!(verified.selected, 3);
    let checks: Vec<&str> = verified.checks.iter().map(|check| check.what).collect();
    let expected = [
        "form",
        "signature",
        "leaves",
        "proof",
        "details",
        "policies",
        "subjects",
        "redactions",
        "completeness",
        "meaning",
        "parameters",
        "report",
    ];
    assert_eq!(checks, expected);
    assert!(
        verified.checks.iter().all(|check| matches!(check.verdict, Verdict::Holds(_))),
        "{:?}",
        verified.checks
    );
    assert_eq!(bundle::parse(file.as_bytes()).expect("the same"), bundle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_the_case_and_nothing_in_it_can_break_out() {
    let cases = Cases::played().await;
    let file = print(&cases.bundle());
    let (page, rest) = file.split_once("<script type=").expect("a block of evidence");
    for shown in
        ["override payout/limit production", "{&quot;amount&quot;:100}", "Ana", "Ben", "Chloe", "succeeded"]
    {
        assert!(
            page.contains(shown) || page.contains(&shown.replace("&quot;", "&#34;")),
            "{shown} is not shown in {page}"
        );
    }
    assert!(!page.contains('\u{202e}') && page.contains("\\u{202e}"), "what could deceive is visible");
    assert_eq!(rest.matches("</script>").count(), 1, "a text in the evidence ends its block");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_select_what_they_say() {
    let cases = Cases::played().await;
    let count = |scope: Scope| verify(&print(&cases.collect(&scope))).expect("no lie").selected;
    let whole = count(Scope::default());
    let of = |subject| Scope { subject: Some(subject), ..Scope::default() };
    assert_eq!(count(of(Subject::Approval(cases.approval))), 5);
    let resource = Scope { resource: Some("payout/limit".parse().expect("a resource")), ..Scope::default() };
    assert_eq!(count(resource.clone()), 16);
    let kind = Scope { kind: Some("approval.granted".to_owned()), ..resource };
    assert_eq!(count(kind), 4);
    let production = Scope { environment: Some("production".parse().expect("a name")), ..Scope::default() };
    assert_eq!(count(production), 16);
    assert!(whole > 16);
}

/// A log too large for all of its leaves.
const LARGE: Limits = Limits { whole: 0, since_census: 1_000 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_large_log_a_census_stands_for_the_leaves_before_it() {
    let cases = Cases::counted().await;
    let bundle = cases.collect_within(&cases.scope(), LARGE);
    let Completeness::Census { size, .. } = bundle.completeness else { panic!("{:?}", bundle.completeness) };
    let verified = verify(&print(&bundle)).expect("no lie");
    assert!(
        u64::try_from(verified.entries).expect("a number") < verified.checkpoint.size,
        "leaves before {size} are spared"
    );
    let completeness = verified.checks.iter().find(|check| check.what == "completeness").expect("said");
    assert!(matches!(completeness.verdict, Verdict::Holds(_)), "{completeness:?}");
    // A count per subject says nothing about which further subjects an actor touched.
    let actor = Scope { actor: Some(Actor::Person(ANA)), ..Scope::default() };
    let verified = verify(&print(&cases.collect_within(&actor, LARGE))).expect("no lie");
    let completeness = verified.checks.iter().find(|check| check.what == "completeness").expect("said");
    assert!(matches!(completeness.verdict, Verdict::NotShown(_)), "{completeness:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_census_completeness_is_not_shown_and_said_so() {
    let cases = Cases::played().await;
    let bundle = cases.collect_within(&cases.scope(), LARGE);
    let verified = verify(&print(&bundle)).expect("no lie");
    let open: Vec<&str> = verified
        .checks
        .iter()
        .filter(|check| matches!(check.verdict, Verdict::NotShown(_)))
        .map(|check| check.what)
        .collect();
    assert_eq!(open, ["completeness"]);
}
