//! Cases: who asks, agrees and executes what, and what must come of it. Each is played in a little world of its own.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use countersign_core::time::Time;
use countersign_core::trial::{Observed, ObservedMissing, Stage, Step, Trial, Verb};
use serde::{Deserialize, Serialize};

use super::test::Tried;
use crate::commands::Session;
use crate::failure::{Failure, Kind};
use crate::output::Table;

/// When cases are played, unless they say otherwise.
const BEGINNING: Time = Time::from_millis(1_795_428_000_000);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Verb, resource and environment.
    action: String,
    /// When.
    #[serde(default)]
    at: Option<Time>,
    /// Who asks; nobody, where the permit is reserved without an approval.
    #[serde(default)]
    requester: Option<String>,
    /// Who agrees, in this order.
    #[serde(default)]
    approvers: Vec<String>,
    /// Who disagrees after them.
    #[serde(default)]
    deniers: Vec<String>,
    /// Who reserves the permit; the requester, unless somebody is named.
    #[serde(default)]
    executor: Option<String>,
    expect: Expected,
    /// The code of the refusal.
    #[serde(default)]
    reason: Option<String>,
    /// The rules that apply, all of them.
    #[serde(default)]
    rules: Option<Vec<String>>,
}

/// What must come of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Expected {
    /// A permit.
    Allowed,
    /// No permit.
    Refused,
}

/// What came of a case.
#[derive(Debug, Serialize)]
struct Told {
    case: String,
    holds: bool,
    decision: Expected,
    /// The code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What was refused: `request`, `approve Ben`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    rules: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<ObservedMissing>,
    expected: String,
}

/// Plays the cases of a file and tells what came of them; how many do not hold.
pub(super) fn run(session: &Session, (file, tried): (&Path, &Tried)) -> anyhow::Result<usize> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("reading `{shown}`"))?;
    let malformed = |what: String| Failure::new(Kind::Malformed, format!("{shown}: {what}"));
    let parsed: Result<Cases, String> = match file.extension().is_some_and(|extension| extension == "json") {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => toml::from_str(&text).map_err(|error| error.to_string()),
    };
    let mut told = Vec::new();
    for case in parsed.map_err(malformed)?.case {
        told.push(play(tried, &case).map_err(|what| malformed(format!("`{}`: {what}", case.name)))?);
    }
    let failed = told.iter().filter(|case| !case.holds).count();
    session.output.show(&told, |told| table(told))?;
    Ok(failed)
}

/// The people of the policy, each under their name or their id.
fn people(tried: &Tried) -> BTreeMap<String, countersign_core::id::PersonId> {
    let mut people = tried.names.clone();
    let nameless =
        tried.policy.everybody().into_iter().filter(|id| !tried.names.values().any(|known| known == id));
    people.extend(nameless.map(|id| (id.to_string(), id)));
    people
}

fn play(tried: &Tried, case: &Case) -> Result<Told, String> {
    let at = case.at.unwrap_or(BEGINNING);
    let stage = Stage { people: people(tried), ..Stage::default() };
    let mut trial = Trial::begin(&tried.policy, stage, at).map_err(|refusal| refusal.to_string())?;
    let mut refused = None;
    for step in steps(case, at)? {
        let seen = trial.play(&step).map_err(|error| error.to_string())?;
        if seen.refused.is_some() {
            refused = Some((step, seen));
            break;
        }
    }
    Ok(tell(tried, case, refused))
}

fn steps(case: &Case, at: Time) -> Result<Vec<Step>, String> {
    let step = |who: &str, command| Step {
        at,
        who: who.to_owned(),
        command,
        action: Some(case.action.clone()),
        parameters: None,
        approval: case.requester.as_ref().map(|_| "request".to_owned()),
        exceptions: Vec::new(),
        permit: None,
        policy: None,
        person: None,
        until: None,
        outcome: None,
        commented: None,
        fresh: None,
        label: None,
        expect: Observed::default(),
    };
    let nobody = "name who asks (`requester`) or who executes (`executor`)";
    let executor = case.executor.as_ref().or(case.requester.as_ref()).ok_or(nobody)?;
    let asked = case.requester.iter().map(|who| Step {
        label: Some("request".to_owned()),
        approval: None,
        ..step(who, Verb::Request)
    });
    let agreed = case.approvers.iter().map(|who| step(who, Verb::Approve));
    let denied = case.deniers.iter().map(|who| step(who, Verb::Deny));
    Ok(asked.chain(agreed).chain(denied).chain([step(executor, Verb::Reserve)]).collect())
}

fn tell(tried: &Tried, case: &Case, refused: Option<(Step, Observed)>) -> Told {
    let action = countersign_core::trial::parse_action(&case.action).ok();
    let requirement = action.and_then(|action| tried.policy.requirement(&action));
    let rules: Vec<String> =
        requirement.into_iter().flat_map(|it| it.rules).map(|rule| rule.to_string()).collect();
    let decision = if refused.is_some() { Expected::Refused } else { Expected::Allowed };
    let (step, reason, missing) = match refused {
        Some((step, seen)) => {
            let verb = format!("{:?} by {}", step.command, step.who)
                .to_lowercase()
                .replace(&step.who.to_lowercase(), &step.who);
            (Some(verb), seen.refused, seen.missing)
        }
        None => (None, None, Vec::new()),
    };
    let as_reasoned = case.reason.is_none() || case.reason == reason;
    let as_ruled = case.rules.as_ref().is_none_or(|wanted| {
        let mut wanted = wanted.clone();
        wanted.sort();
        wanted == rules
    });
    let expected = match (case.expect, &case.reason) {
        (Expected::Allowed, _) => "allowed".to_owned(),
        (Expected::Refused, None) => "refused".to_owned(),
        (Expected::Refused, Some(reason)) => reason.clone(),
    };
    let holds = decision == case.expect && as_reasoned && as_ruled;
    Told { case: case.name.clone(), holds, decision, reason, step, rules, missing, expected }
}

fn table(told: &[Told]) -> String {
    let mut table =
        Table::new(["holds", "case", "decision", "expected", "rules", "missing"], "there are no cases");
    for case in told {
        let missing = case.missing.iter().map(|missing| {
            let could = missing.could.join(", ");
            format!("{} of {}: {could}", missing.needed, missing.group)
        });
        let decision = match (&case.reason, &case.step) {
            (Some(reason), Some(step)) => format!("{reason} ({step})"),
            _ => "allowed".to_owned(),
        };
        let (holds, rules) = (if case.holds { "yes" } else { "NO" }, case.rules.join(", "));
        let missing = missing.collect::<Vec<_>>().join("; ");
        table.row([holds, &case.case, &decision, &case.expected, &rules, &missing]);
    }
    table.render()
}
