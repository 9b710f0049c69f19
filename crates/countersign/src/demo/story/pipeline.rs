//! A job of the CI system exchanges the token that says who it is for one that lets it do one thing: once, and only the job that the policy means.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign_client::Client;
use serde_json::{Value, json};

use super::quorum::action;
use super::tokens::{ask, revoke, until_refused};
use super::told::Told;
use super::word;
use crate::credentials::{self, write_private};
use crate::demo::cast::{AUDIENCE, Cast, Who};
use crate::demo::child;

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    let ci = reqwest::Client::builder().no_proxy().build().context("an HTTP client")?;
    let job = async |changes: Value| job(&ci, &cast.ci(), changes).await;
    let token = job(json!({})).await?;
    let pipeline = exchanged(cast, ("first", &token), &[]).await?;
    let (id, client) = pipeline.granted.as_ref().context(pipeline.said.clone())?;
    let asked = ask(client, action("failover", "region/eu", "production")).await?;
    told.same(
        "a job of NudgePay's repository exchanges its CI token, and asks for a failover",
        "failover:region/eu, asked for in the name of Ana",
        format!(
            "{}, asked for in the name of {}",
            pipeline.said,
            asked.requester.name.clone().unwrap_or_default()
        ),
    )?;
    for (name, other) in [
        ("its token is refused in another environment", action("failover", "region/eu", "staging")),
        ("and for another verb", action("rotate", "region/eu", "production")),
    ] {
        told.same(name, "out_of_scope", word(&ask(client, other).await))?;
    }
    let again = exchanged(cast, ("again", &token), &[]).await?;
    told.same("whoever copied the CI token comes second", "workload_token_spent", again.said)?;
    for (name, changes, expected) in [
        ("another repository's job gets nothing", json!({ "repository_id": "174021" }), "workload_unknown"),
        (
            "nor one whose number is a number and not the text of it",
            json!({ "repository_id": 174_020 }),
            "workload_unknown",
        ),
        ("nor one that runs for staging", json!({ "environment": "staging" }), "workload_unknown"),
        (
            "nor one whose token is for somebody else",
            json!({ "aud": "https://other.example" }),
            "token_audience",
        ),
        ("nor one whose token has expired", json!({ "exp": 1_700_000_000 }), "token_expired"),
    ] {
        let denied = exchanged(cast, (expected, &job(changes).await?), &[]).await?;
        told.same(name, expected, denied.said)?;
    }
    let forged = forged(&job(json!({})).await?)?;
    let denied = exchanged(cast, ("forged", &forged), &[]).await?;
    told.same("a token that says another job than was signed is no token", "token_signature", denied.said)?;
    let short = exchanged(cast, ("short", &job(json!({})).await?), &["--lifetime", "1"]).await?;
    let (_, short) = short.granted.context(short.said)?;
    let (refused, _) = until_refused(&short, &asked.id).await;
    told.same("exchanged for one that lives a second, it is refused after that", "unauthenticated", refused)?;
    revoke(cast.client(Who::Ana)?, ("Ana revokes the job's token", told), (client, id, &asked)).await
}

/// What a job was told, and the token it has, by its id, if it has one.
struct Exchanged {
    said: String,
    granted: Option<(String, Client)>,
}

/// The job's token, as the CI system gives it out.
async fn job(client: &reqwest::Client, ci: &str, changes: Value) -> anyhow::Result<String> {
    let mut claims = json!({
        "aud": AUDIENCE, "sub": "repo:nudgepay/nudgepay:environment:production", "repository": "nudgepay/nudgepay",
        "repository_id": "174020", "environment": "production",
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    let answer =
        client.post(format!("{ci}/jobs")).json(&claims).send().await.context("asking the CI system")?;
    let told: Value = answer.error_for_status()?.json().await.context("what the CI system says")?;
    Ok(told["value"].as_str().context("a token")?.to_owned())
}

/// What the job types: `countersign token exchange --oidc-token-file`.
async fn exchanged(cast: &Cast, (name, token): (&str, &str), more: &[&str]) -> anyhow::Result<Exchanged> {
    let (held, saved) =
        (cast.places.at(&format!("job-{name}.jwt")), cast.places.at(&format!("job-{name}.json")));
    replaced(&held, token)?;
    let (server, more) = (cast.countersign(), more.iter().map(OsStr::new));
    let mut arguments: Vec<&OsStr> =
        ["--json", "--server", &server, "token", "exchange"].map(OsStr::new).to_vec();
    arguments.extend([
        OsStr::new("--oidc-token-file"),
        held.as_os_str(),
        OsStr::new("--save"),
        saved.as_os_str(),
    ]);
    arguments.extend(more);
    let ended = child::run(&arguments).await?;
    if ended.code != Some(0) {
        let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
        let code = told["code"].as_str().map(ToOwned::to_owned);
        return Ok(Exchanged { said: code.unwrap_or(ended.stdout), granted: None });
    }
    let told: Value = serde_json::from_str(&ended.stdout).context("what the command says")?;
    let id = told["id"].as_str().context("an id")?.to_owned();
    let client = credentials::load(&saved)?.client(&server)?;
    Ok(Exchanged { said: told["scope"].as_str().unwrap_or_default().to_owned(), granted: Some((id, client)) })
}

fn replaced(path: &Path, text: &str) -> anyhow::Result<PathBuf> {
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    write_private(path, text)?;
    Ok(path.to_owned())
}

/// The token with another repository in it, under the signature that it had.
fn forged(token: &str) -> anyhow::Result<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { anyhow::bail!("a token has three parts") };
    let said =
        String::from_utf8(URL_SAFE_NO_PAD.decode(payload)?)?.replace("nudgepay/nudgepay", "mallory/nudgepay");
    Ok(format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(said)))
}
