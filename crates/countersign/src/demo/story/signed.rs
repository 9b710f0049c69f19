//! A vote signed with Ben's own key, and checked by `ssh-keygen`, which knows nothing of Countersign.
//!
//! Ben and Chloe draw keys, which are enrolled with two people's agreement; then a release asks for signed votes.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use countersign_api::approval::{Approve, RequestApproval};
use countersign_api::person::EnrollKey;
use countersign_api::{Action, Reason};
use countersign_ledger::statement::NAMESPACE;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::quorum::{action, approve};
use super::told::{Judgement, Told};
use super::word;
use crate::demo::cast::{Cast, ENVIRONMENT, Who};
use crate::demo::child;

/// What is asked for under signed votes.
const RELEASE: &str = "release/nudgepay";

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    if !has_ssh_keygen().await {
        let seen = ("`ssh-keygen` of OpenSSH", "there is none on this machine: install openssh-client");
        return told.judged("signed votes are left out", seen, Judgement::Holds);
    }
    for who in [Who::Ben, Who::Chloe] {
        enroll(cast, who).await?;
    }
    let first = asked(cast, "sha256:1f").await?;
    let bare = cast.client(Who::Ben)?.approve(&first, &Reason::default()).await;
    told.same("a release is not approved without a signature", "signature_required", word(&bare))?;
    sign(cast, Who::Ben, &first).await?;
    let (accepted, altered, armor) = checked_by_ssh_keygen(cast, &first).await?;
    told.same("`ssh-keygen` accepts Ben's signed vote", "accepted", accepted)?;
    told.same("and refuses it for one digit more", "refused", altered)?;
    let second = asked(cast, "sha256:2e").await?;
    let replay = Approve { signature: Some(armor), ..Approve::default() };
    let replayed = cast.client(Who::Ben)?.vote(&second, &replay).await;
    told.same("Ben's signature does not approve another release", "signature_invalid", word(&replayed))?;
    let stolen = cast.client(Who::Chloe)?.vote(&first, &replay).await;
    told.same("and is no vote of Chloe's", "voting_key_not_in_force", word(&stolen))?;
    sign(cast, Who::Chloe, &first).await?;
    let approved = cast.client(Who::Aud)?.approval(&first).await?;
    let signed = approved.votes.iter().filter(|vote| vote.signature.is_some()).count();
    told.same(
        "with Chloe's signature the release is approved",
        "approved by 2 signed votes",
        format!("{} by {signed} signed votes", approved.status),
    )
}

pub(super) async fn has_ssh_keygen() -> bool {
    // Without arguments it would make a key; this asks it something that it refuses.
    let asked = Command::new("ssh-keygen").arg("-Y").stdin(Stdio::null()).output().await;
    asked.is_ok()
}

pub(super) fn key_of(cast: &Cast, who: Who) -> std::path::PathBuf {
    cast.places.at(&format!("{}-voting-key", who.name().to_lowercase()))
}

/// A fresh key, and everybody's agreement that it is theirs.
pub(super) async fn enroll(cast: &Cast, who: Who) -> anyhow::Result<()> {
    let file = key_of(cast, who);
    draw(&file, who.name()).await?;
    let line = std::fs::read_to_string(file.with_extension("pub")).context("reading the public key")?;
    let key = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let person = cast.client(who)?.me().await?.id;
    let ana = cast.client(Who::Ana)?;
    let request = RequestApproval {
        action: action("enroll", &format!("voting-key/{person}"), "control"),
        parameters: json!({ "key": key }),
        reason: Some(format!("the key of {}", who.name())),
    };
    let approval = ana.request_approval(&request).await?.id;
    approve(cast, &approval).await?;
    ana.enroll_key(&person, &EnrollKey { key, approval }).await?;
    Ok(())
}

/// A fresh key of this name; its public half is beside it.
pub(super) async fn draw(file: &Path, name: &str) -> anyhow::Result<()> {
    let mut make = Command::new("ssh-keygen");
    make.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(file);
    ran(make).await.context("drawing a key")
}

/// The armored signature of a text as a vote is signed, with any key.
pub(super) async fn sign_text(key: &Path, file: &Path, text: &str) -> anyhow::Result<String> {
    std::fs::write(file, text).context("writing what is signed")?;
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key).arg(file);
    ran(sign).await.context("signing a text")?;
    std::fs::read_to_string(file.with_added_extension("sig")).context("reading the signature")
}

async fn ran(mut command: Command) -> anyhow::Result<()> {
    let ended = command.stdin(Stdio::null()).output().await.context("running `ssh-keygen`")?;
    if !ended.status.success() {
        bail!("`ssh-keygen` failed: {}", String::from_utf8_lossy(&ended.stderr));
    }
    Ok(())
}

pub(super) fn release() -> Action {
    action("promote", RELEASE, ENVIRONMENT)
}

pub(super) fn image(image: &str) -> Value {
    json!({ "image": image })
}

pub(super) async fn asked(cast: &Cast, digest: &str) -> anyhow::Result<String> {
    let request = RequestApproval { action: release(), parameters: image(digest), reason: None };
    Ok(cast.client(Who::Ana)?.request_approval(&request).await?.id)
}

/// `countersign approval approve --sign`, as the voter would type it.
pub(super) async fn sign(cast: &Cast, who: Who, id: &str) -> anyhow::Result<()> {
    let (credential, key) = (cast.places.credential(who), key_of(cast, who));
    let arguments = [
        "--credential".as_ref(),
        credential.as_os_str(),
        "approval".as_ref(),
        "approve".as_ref(),
        id.as_ref(),
        "--sign".as_ref(),
        "--yes".as_ref(),
        "--key".as_ref(),
        key.as_os_str(),
    ];
    child::run(&arguments).await?.successful().context("`countersign approval approve --sign`")?;
    Ok(())
}

/// What `ssh-keygen -Y verify` says of what Aud exported, and of the same with one digit changed; and the signature.
async fn checked_by_ssh_keygen(cast: &Cast, id: &str) -> anyhow::Result<(String, String, String)> {
    let person = cast.client(Who::Ben)?.me().await?.id;
    let (statement, signature) = (cast.places.at("statement.json"), cast.places.at("ben.sig"));
    let credential = cast.places.credential(Who::Aud);
    let export = async |verb: &str, rest: &[&std::ffi::OsStr]| {
        let mut arguments = vec![
            "--credential".as_ref(),
            credential.as_os_str(),
            "approval".as_ref(),
            verb.as_ref(),
            id.as_ref(),
        ];
        arguments.extend(rest);
        child::run(&arguments).await?.successful().with_context(|| format!("`countersign approval {verb}`"))
    };
    export("statement", &["--out".as_ref(), statement.as_os_str()]).await?;
    let whose = ["--person".as_ref(), person.as_ref(), "--out".as_ref(), signature.as_os_str()];
    export("signature", &whose).await?;
    let bytes = std::fs::read(&statement).context("reading the statement")?;
    let altered = String::from_utf8(bytes.clone())?.replace("sha256:1f", "sha256:10");
    let accepted = verdict((&signature, &person), &bytes).await?;
    let refused = verdict((&signature, &person), altered.as_bytes()).await?;
    Ok((accepted, refused, std::fs::read_to_string(&signature)?))
}

async fn verdict((signature, person): (&Path, &str), message: &[u8]) -> anyhow::Result<String> {
    let allowed = signature.with_extension("sig.allowed_signers");
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-n", NAMESPACE, "-I", person, "-f"])
        .arg(&allowed)
        .arg("-s")
        .arg(signature)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("running `ssh-keygen`")?;
    let mut input = child.stdin.take().context("`ssh-keygen` takes no input")?;
    input.write_all(message).await.context("handing the statement to `ssh-keygen`")?;
    drop(input);
    let status = child.wait().await.context("waiting for `ssh-keygen`")?;
    Ok(if status.success() { "accepted" } else { "refused" }.to_owned())
}
