//! `countersign policy …`

use std::path::PathBuf;

use clap::Subcommand;
use countersign_api::policy::{ActivatePolicy, PolicyInForce};
use countersign_server::config::{canonical_policy, load_policy};
use serde_json::json;

use super::Session;
use crate::failure::{Failure, Kind};
use crate::output::fields;

mod cases;
mod explain;
mod lint;
mod replay;
mod test;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The policy in force.
    Show,
    /// Check a policy file without a server, and print its digest.
    Check { file: PathBuf },
    /// What an action demands under the policy in force, of whom, and what stands in your way.
    Explain(explain::Explain),
    /// Find what is suspicious about a policy file: rules that change nothing, groups nobody uses, single points of approval, ….
    ///
    /// Ends with 8 where there are errors, with 6 where there are warnings, else with 0.
    Lint(lint::Lint),
    /// Try a policy file on cases, and on what really happened: what would have been decided differently?
    ///
    /// Ends with 6 where a case does not hold, or, with `--fail-on-change`, where something would have been decided differently.
    Test(test::Test),
    /// Put a policy in force, with an approval of exactly that.
    Activate {
        file: PathBuf,
        /// The approval of `activate policy/main control` with this policy's digest.
        #[arg(long, value_name = "ID")]
        approval: Option<String>,
    },
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Show => session.output.show(&session.client()?.policy().await?, show),
        Verb::Check { file } => {
            let (sha256, _) = canonical_policy(&load_policy(&file)?)?;
            let checked = json!({ "policy_sha256": sha256.to_string() });
            session
                .output
                .show(&checked, |_| format!("`{}` is sound\npolicy_sha256  {sha256}", file.display()))
        }
        Verb::Explain(it) => explain::run(session, &it).await,
        Verb::Test(it) => test::run(session, &it).await,
        Verb::Lint(it) => lint::run(session, &it),
        Verb::Activate { file, approval } => {
            let policy = load_policy(&file)?;
            let (sha256, _) = canonical_policy(&policy)?;
            let approval = approval.ok_or_else(|| {
                Failure::new(Kind::Refused, "a policy is activated under the quorum of the one in force").hint(format!(
                    "ask with `countersign approval request activate policy/main control --param policy_sha256={sha256}`, then name it with `--approval`"
                ))
            })?;
            let activate = ActivatePolicy { policy: serde_json::to_value(&policy)?, approval };
            session.output.show(&session.client()?.activate_policy(&activate).await?, show)
        }
    }
}

fn show(policy: &PolicyInForce) -> String {
    let origin = match (&policy.approval, policy.bootstrap) {
        (Some(approval), _) => format!("approved by {approval}"),
        (None, true) => "genesis: nobody approved it".to_owned(),
        (None, false) => String::new(),
    };
    let stranded: Vec<String> =
        policy.stranded.iter().map(|it| format!("{} ({})", it.approval, it.code)).collect();
    let head = fields(&[
        ("digest", policy.sha256.clone()),
        ("in force since", policy.activated_at.clone()),
        ("rests on", origin),
        ("stranded", stranded.join(", ")),
    ]);
    let text = serde_json::to_string_pretty(&policy.policy).unwrap_or_default();
    format!("{head}\n{}", text.lines().map(crate::output::visible).collect::<Vec<_>>().join("\n"))
}
