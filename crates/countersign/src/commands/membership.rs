//! `countersign person invite` and `deactivate`: asks where the rules demand it, waits for the others, and then does it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use countersign_api::approval::RequestApproval;
use countersign_api::person::{DEFAULT_CLAIM_SECONDS, DeactivatePerson, InvitePerson, Person};
use countersign_client::{Claim, Client, ClientError, ErrorKind};
use countersign_core::id::PersonId;
use serde_json::{Value, json};

use super::node::draw_id;
use super::{Session, awaited, person, spoken, wait};
use crate::cli::Why;
use crate::credentials::write_private;
use crate::failure::{Failure, Kind, kind};
use crate::output::visible;

/// Whom to invite, and how the claim is handed over.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// Their name. It is kept in redactable details only.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Their id; drawn unless given. Give it to go on with an approval, or to invite again whoever has not claimed.
    #[arg(long, value_name = "ID")]
    id: Option<PersonId>,
    /// How long they may take to claim, seconds: 14 days at most.
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_CLAIM_SECONDS)]
    claim_seconds: u32,
    /// Write the claim to this new file, for its owner only, instead of showing it.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    why: Why,
}

/// Who goes.
#[derive(Debug, Args)]
pub(crate) struct Deactivate {
    /// Their id.
    id: PersonId,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    why: Why,
}

/// Others' consent, where the rules demand it.
#[derive(Debug, Args)]
struct Consent {
    /// Use this approval, and wait for it, instead of asking for one.
    #[arg(long, value_name = "ID")]
    approval: Option<String>,
    /// How long to wait for approval, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    timeout: u64,
}

/// The claim is drawn when everybody has agreed, and where a file is named it is there before the server hears of it: a lost answer loses nothing.
pub(crate) async fn invite(session: &Session, invite: &Invite) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = match invite.id {
        Some(id) => id,
        None => draw_id()?,
    };
    let claim = Claim::draw()?;
    let wanted = |approval: Option<String>| InvitePerson {
        id: id.to_string(),
        name: invite.name.clone(),
        claim_sha256: claim.sha256(),
        claim_seconds: invite.claim_seconds,
        approval,
        reason: invite.why.reason.clone(),
    };
    let request = request(
        ("invite", id),
        json!({ "claim_seconds": invite.claim_seconds, "name": invite.name }),
        &invite.why,
    );
    let save = invite.save.as_deref();
    let send = async |approval| {
        keep(save, &claim)?;
        let sent = client.invite(&wanted(approval)).await;
        forget(save, &sent)?;
        Ok(sent?)
    };
    let again = format!(
        "countersign person invite --id {id} --name {} --claim-seconds {}",
        quoted(&invite.name),
        invite.claim_seconds
    );
    let person = with_consent(&client, (&request, &invite.consent, &again), send).await?;
    let document = match save {
        Some(path) => json!({ "person": person, "claim_file": path }),
        None => {
            let link = one_time_link(client.server(), claim.expose());
            json!({ "person": person, "claim": claim.expose(), "link": link })
        }
    };
    session.output.show(&document, |_| handover((&person, client.server()), (&claim, save)))
}

pub(crate) async fn deactivate(session: &Session, deactivate: &Deactivate) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = deactivate.id.to_string();
    let request = request(("deactivate", deactivate.id), json!({}), &deactivate.why);
    let send = async |approval| {
        let body = DeactivatePerson { approval, reason: deactivate.why.reason.clone() };
        Ok(client.deactivate(&id, &body).await?)
    };
    let again = format!("countersign person deactivate {id}");
    let gone = with_consent(&client, (&request, &deactivate.consent, &again), send).await?;
    session.output.show(&gone, person::show)
}

fn request((verb, id): (&str, PersonId), parameters: Value, why: &Why) -> RequestApproval {
    let (resource, environment) = (format!("person/{id}"), "control".to_owned());
    let action = countersign_api::Action { verb: verb.to_owned(), resource, environment };
    RequestApproval { action, parameters, reason: why.reason.clone() }
}

/// Does it at once where that is possible, and otherwise under an approval: the one named, or one that is asked for now.
async fn with_consent(
    client: &Client,
    (request, consent, again): (&RequestApproval, &Consent, &str),
    send: impl AsyncFn(Option<String>) -> anyhow::Result<Person>,
) -> anyhow::Result<Person> {
    let approval = match &consent.approval {
        Some(approval) => approval.clone(),
        None => match send(None).await {
            Err(error) if wants_approval(&error) => asked(client, request, again).await?,
            done => return done,
        },
    };
    let waited = wait::decided(client, &approval, consent.timeout).await;
    waited.map_err(|error| match kind(&error) {
        Kind::Unavailable => {
            let what = Failure::new(Kind::Unavailable, format!("{error:#}"));
            what.hint(format!("it stays open: go on with `{again} --approval {approval}`")).into()
        }
        _ => error,
    })?;
    send(Some(approval)).await
}

fn wants_approval(error: &anyhow::Error) -> bool {
    let problem = error.downcast_ref::<ClientError>();
    matches!(problem, Some(ClientError::Problem(problem)) if problem.code == "approval_required")
}

async fn asked(client: &Client, request: &RequestApproval, again: &str) -> anyhow::Result<String> {
    let approval = client.request_approval(request).await?;
    let id = approval.id;
    say(&format!(
        "asked for `{}` as {id}: waits for {}",
        spoken(&approval.action),
        awaited(&approval.missing)
    ));
    say(&format!("others agree with: countersign approval approve {id}"));
    say(&format!("to stop waiting and go on later: Ctrl-C, then {again} --approval {id}"));
    Ok(id)
}

/// Progress goes to standard error: standard output holds the answer alone.
fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{}", visible(text)));
}

fn keep(save: Option<&Path>, claim: &Claim) -> anyhow::Result<()> {
    save.map_or(Ok(()), |path| write_private(path, claim.expose()))
}

/// Only a clear no makes the claim worthless; after anything else it may be the one that holds.
fn forget(save: Option<&Path>, sent: &Result<Person, ClientError>) -> anyhow::Result<()> {
    let no = sent.as_ref().is_err_and(|error| {
        matches!(error.kind(), ErrorKind::Refused | ErrorKind::Malformed | ErrorKind::NotFound)
    });
    match save.filter(|_| no) {
        Some(path) => std::fs::remove_file(path).with_context(|| format!("removing `{}`", path.display())),
        None => Ok(()),
    }
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn handover((person, server): (&Person, &str), (claim, save): (&Claim, Option<&Path>)) -> String {
    let what = save.map_or_else(
        || format!("  {}", one_time_link(server, claim.expose())),
        |path| format!("  in `{}`, for you only", path.display()),
    );
    format!(
        "{}\n\nTheir claim, shown now and never again. Hand it over in person, or where nobody else reads:\n\n{what}\n\nIt works once. In a \
         browser, they make a passkey behind the link `{pages}/claim#` and the claim; in a terminal, they replace the claim, which is what stands \
         behind the `#`, by a credential of their own with\n\n  countersign --server {server} claim --claim FILE\n\nand give themselves no \
         rights by that: groups are the policy's.",
        person::show(person),
        pages = pages(server)
    )
}

/// Where a browser makes a passkey for a claim. The claim stands behind the `#`, which browsers send to nobody and mail scanners do not follow.
pub(crate) fn one_time_link(server: &str, claim: &str) -> String {
    format!("{}/claim#{claim}", pages(server))
}

/// Where a server has its pages, by its address for programs: passkeys belong to names, so this machine's are at `localhost`.
fn pages(server: &str) -> String {
    server.trim_end_matches('/').replacen("//127.0.0.1", "//localhost", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_one_time_link_leads_to_a_name() {
        assert_eq!(one_time_link("http://127.0.0.1:8080/", "csc_x"), "http://localhost:8080/claim#csc_x");
        assert_eq!(one_time_link("https://cs.example", "csc_x"), "https://cs.example/claim#csc_x");
    }

    #[test]
    fn names_are_one_word_to_a_shell() {
        assert_eq!(quoted("Zoë O'Neil"), r"'Zoë O'\''Neil'");
    }
}
