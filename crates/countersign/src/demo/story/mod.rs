//! The story: a signing secret is rotated under dual control, and everything that must be refused is tried.
//!
//! Each chapter asks the running programs and tells what they answered; nothing here is concluded from what the demo itself did.
//!
//! # Layout
//! - `told`: expected, observed, and whether they agree
//! - `payout`: NudgePay overrides a payout under the guard, exactly as approved and once
//! - `policy`: a weakened policy comes into force only under the quorum of the one before; what becomes of what is under way
//! - `freeze`: payouts are held; one is excepted, once
//! - `signed`: votes signed with people's own keys, and checked by `ssh-keygen`
//! - `break_glass`: nobody is there to agree; what that gives, and what it costs
//! - `tokens`: a pipeline's token is refused elsewhere, for anything else, after its time, and at once when it is revoked
//! - `pipeline`: a job of the CI system exchanges its own token, once; others' jobs and forgers get nothing
//! - `people`: somebody is invited, agrees, and is deactivated, and the vote counts no more
//! - `sign_in`: somebody makes a passkey by a one-time link and signs in with it; what is copied, sent again or meant for other pages is not
//! - `review`: an auditor exports who and what may do what
//! - `quorum`: a rotation passes through two other people; every short cut is refused
//! - `rotation`: the rotation runs, genuine webhooks keep arriving, the old secret is refused
//! - `evidence`: the ledger verifies, and a flipped byte is found
//! - `nodes`: on a shared ledger, a request passes through three nodes, and one that is killed is not missed
//! - `crash`: the server is killed in the middle of appends
//! - `offline`: a permit and its signed votes as a document, verified with the server stopped, and forged by who holds its keys
//! - `bundle`: the case as one file, verified with the server stopped, and forged

use std::process::ExitCode;

use countersign_client::ClientError;

use super::cast::Cast;

mod break_glass;
mod bundle;
mod crash;
mod evidence;
mod freeze;
mod nodes;
mod offline;
mod payout;
mod people;
mod pipeline;
mod policy;
mod quorum;
mod review;
mod rotation;
mod sign_in;
mod signed;
mod tokens;
mod told;

use told::Told;

/// Plays the whole story. Succeeds only if every step came out as told.
pub(super) async fn play(cast: Cast, json: bool) -> anyhow::Result<ExitCode> {
    let mut told = Told::new(!json);
    if let Err(error) = chapters(cast, &mut told).await {
        told.broke_off("the story goes on to its end", &error)?;
    }
    told.finish()?;
    Ok(if told.is_true() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn chapters(cast: Cast, told: &mut Told) -> anyhow::Result<()> {
    payout::play(&cast, told).await?;
    policy::play(&cast, told).await?;
    freeze::play(&cast, told).await?;
    signed::play(&cast, told).await?;
    break_glass::play(&cast, told).await?;
    tokens::play(&cast, told).await?;
    pipeline::play(&cast, told).await?;
    people::play(&cast, told).await?;
    sign_in::play(&cast, told).await?;
    review::play(&cast, told).await?;
    let permit = quorum::rotation(&cast, told).await?;
    let rotation = rotation::play(&cast, told, &permit).await?;
    evidence::play(&cast, told).await?;
    let case = bundle::export(&cast, told, &rotation).await?;
    let kept = offline::keep(&cast, told).await?;
    nodes::play(&cast, told).await?;
    let cast = crash::play(cast, told, &rotation).await?;
    let places = cast.stop().await?;
    offline::verify(&places, told, &kept).await?;
    bundle::verify(&places, told, &case).await
}

/// What an attempt came to, in a word: the refusal's code, or that it was done.
fn word<T>(attempt: &Result<T, ClientError>) -> String {
    match attempt {
        Ok(_) => "done".to_owned(),
        Err(ClientError::Problem(problem)) => problem.code.clone(),
        Err(error) => error.to_string(),
    }
}
