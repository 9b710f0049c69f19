//! An auditor exports the access review: what a token may do and in whose name, who is still named though they have left, and that what was revoked is gone.

use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::Context as _;
use countersign_api::review::AccessReview;
use countersign_api::token::RevokeToken;

use super::evidence::said;
use super::tokens;
use super::told::Told;
use crate::demo::cast::{Cast, Who};
use crate::demo::child;

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    let ana = cast.client(Who::Ana)?;
    let (id, _) = tokens::issue(ana, tokens::SCOPE).await?;
    let review = reviewed(cast, "review").await?;
    told.same(
        "Aud exports the access review: what Ana's pipeline may do, by which rule, and in whose name",
        "request failover region/eu production by failover, execute failover region/eu production by failover, in the name of Ana",
        granted(&review, &id),
    )?;
    let stale = review.stale.iter().filter(|it| it.kind == "member-deactivated");
    let stale: Vec<_> =
        stale.map(|it| format!("{} in {}", it.person.name.clone().unwrap_or_default(), it.what)).collect();
    told.same(
        "it finds who is still named by the policy and was deactivated",
        "Dan in approvers",
        stale.join(", "),
    )?;
    let mut forms = Vec::new();
    for form in ["csv", "html"] {
        let (said, file) = exported(cast, ("review", form)).await?;
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading `{}`", file.display()))?;
        let holds = if text.contains(&id) { "names the token" } else { "does not name the token" };
        forms.push(format!("{form} {said}, {holds}"));
    }
    told.same(
        "and the same as a table and as a page",
        "csv ends with 0, names the token; html ends with 0, names the token",
        forms.join("; "),
    )?;
    ana.revoke_token(&id, &RevokeToken::default()).await?;
    let after = reviewed(cast, "review-after").await?;
    told.same("once Ana has revoked the token, it is in no review", "not there", granted(&after, &id))
}

/// What the token may do.
fn granted(review: &AccessReview, id: &str) -> String {
    let Some(token) = review.tokens.iter().find(|token| token.id == id) else {
        return "not there".to_owned();
    };
    let grants = token.grants.iter();
    let mut grants: Vec<_> = grants
        .map(|it| format!("{} {} {} {} by {}", it.right, it.verb, it.resource, it.environment, it.rule))
        .collect();
    grants.push(format!("in the name of {}", token.owner.name.clone().unwrap_or_default()));
    grants.join(", ")
}

async fn reviewed(cast: &Cast, name: &str) -> anyhow::Result<AccessReview> {
    let (_, file) = exported(cast, (name, "json")).await?;
    let text = std::fs::read(&file).with_context(|| format!("reading `{}`", file.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

/// What Aud types, and the file there is afterwards.
async fn exported(cast: &Cast, (name, form): (&str, &str)) -> anyhow::Result<(String, PathBuf)> {
    let (credential, file) = (cast.places.credential(Who::Aud), cast.places.at(&format!("{name}.{form}")));
    let words = ["access", "review", "--format", form, "--output"].map(OsStr::new);
    let mut all = vec!["--credential".as_ref(), credential.as_os_str()];
    all.extend(words);
    all.push(file.as_os_str());
    let ended = child::run(&all).await?;
    Ok((said(&ended).to_owned(), file))
}
