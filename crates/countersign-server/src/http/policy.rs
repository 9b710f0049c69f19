//! The policy in force, and replacing it under its own quorum.

use axum::Json;
use axum::extract::State;
use countersign_api::policy::{ActivatePolicy, PolicyInForce, Stranded};
use countersign_core::id::ApprovalId;
use countersign_core::policy::Policy;
use countersign_core::{Command, Item, Subject, approval, log};

use super::body::plainly;
use super::gate::{Post, Viewer};
use super::parameters::bound;
use super::problem::Rejected;
use super::{App, lists};
use crate::config::canonical_policy;
use crate::engine::EngineError;

/// The policy in force.
#[utoipa::path(get, path = "/admin/policy", tag = "policy", responses((status = 200, body = PolicyInForce)))]
pub(super) async fn show(State(app): State<App>, _: Viewer) -> Result<Json<PolicyInForce>, Rejected> {
    match lists::one(&app, Subject::Policy).await? {
        Some(Item::Policy(in_force)) => answer(&in_force),
        _ => Err(Rejected::not_found("policy", "main")),
    }
}

/// Put another policy in force.
#[utoipa::path(post, path = "/admin/policy", tag = "policy", request_body = ActivatePolicy, responses((status = 200, body = PolicyInForce)))]
pub(super) async fn activate(
    State(app): State<App>,
    post: Post<ActivatePolicy>,
) -> Result<Json<PolicyInForce>, Rejected> {
    let ActivatePolicy { policy, approval } = post.body;
    let policy: Policy = serde_json::from_value(policy)
        .map_err(|error| Rejected::malformed(format!("policy: {}", plainly(&error.to_string()))))?;
    let approval: ApprovalId = approval.parse().map_err(Rejected::malformed)?;
    let (policy_sha256, _) = canonical_policy(&policy).map_err(Rejected::malformed)?;
    let parameters = serde_json::json!({ "policy_sha256": policy_sha256.to_string() });
    let parameters_sha256 = bound(&app.engine, approval, parameters).await?;
    let command = log::ActivatePolicy { policy, policy_sha256, approval, parameters_sha256 };
    let submission = post.sender.submission(Command::ActivatePolicy(command));
    match app.submit(submission).await?.0.item {
        Some(Item::Policy(in_force)) => {
            let Json(answer) = answer(&in_force)?;
            Ok(Json(PolicyInForce { stranded: stranded(&app), ..answer }))
        }
        _ => Err(EngineError::Stopped.into()),
    }
}

/// The requests that were under way and are of no use any more, so that those who asked can ask anew.
fn stranded(app: &App) -> Vec<Stranded> {
    let stranded = approval::stranded(&app.engine.state(), app.engine.now());
    let shown = |(id, refusal): (ApprovalId, approval::Refusal)| Stranded {
        approval: id.to_string(),
        code: refusal.code().to_owned(),
    };
    stranded.into_iter().map(shown).collect()
}

fn answer(in_force: &log::PolicyInForce) -> Result<Json<PolicyInForce>, Rejected> {
    Ok(Json(PolicyInForce {
        sha256: in_force.sha256.to_string(),
        activated_at: in_force.activated_at.to_string(),
        bootstrap: in_force.bootstrap,
        stranded: Vec::new(),
        approval: in_force.approval.map(|id| id.to_string()),
        policy: serde_json::to_value(&in_force.policy).map_err(Rejected::malformed)?,
    }))
}
