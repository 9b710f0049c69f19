//! `countersign approval …`

use std::path::PathBuf;

use clap::Subcommand;
use countersign_api::approval::{
    Approval, Approve, Escalation, ReciprocalReport, RequestApproval, Stuck, Vote,
};
use countersign_api::delegation::Delegate;
use countersign_api::{Page, Reason};
use countersign_client::ApprovalListing;

use super::{Session, more, name, places, proving, signing, spoken};
use super::{delegation, wait};
use crate::cli::{Action, Listed, Why};
use crate::output::{Table, fields};
use crate::parameters::Parameters;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Ask for approval of one action with exactly these parameters.
    Request {
        #[command(flatten)]
        action: Action,
        #[command(flatten)]
        parameters: Parameters,
        #[command(flatten)]
        why: Why,
    },
    /// Agree to a request of somebody else.
    Approve {
        id: String,
        /// In whose place, if not in your own: the id of somebody who delegated that to you.
        #[arg(long = "for", value_name = "PERSON")]
        on_behalf: Option<String>,
        #[command(flatten)]
        signing: signing::Signing,
        #[command(flatten)]
        why: Why,
    },
    /// Take your own vote back, before the approval is used.
    Revoke {
        id: String,
        #[command(flatten)]
        why: Why,
    },
    /// Let somebody else agree in your place while you are away.
    Delegate {
        /// Who may, by id.
        person: String,
        /// From when on (RFC 3339); at once unless told otherwise.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until when (RFC 3339), at most 90 days from the beginning.
        #[arg(long, value_name = "TIME")]
        until: String,
    },
    /// Who may agree in whose place.
    Delegations,
    /// End your own delegation before its time.
    Undelegate {
        #[command(flatten)]
        why: Why,
    },
    /// Disagree. Whether that ends the request, the rules say.
    Deny {
        id: String,
        /// Why, for those who read it later.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take your own request back.
    Withdraw {
        id: String,
        #[command(flatten)]
        why: Why,
    },
    /// Requests, newest first.
    List {
        #[command(flatten)]
        listed: Listed,
        /// Only those you made.
        #[arg(long)]
        mine: bool,
        /// Only those that wait for your vote, in your own place or in that of somebody who delegated it to you.
        #[arg(long)]
        for_me: bool,
        /// Only those of which nothing can come as things are.
        #[arg(long)]
        stuck: bool,
    },
    /// Who agreed to each other's requests within the policy's window.
    Reciprocal,
    /// One request with its parameters and votes.
    Show { id: String },
    /// Show the statement of a request, as whoever votes on it signs it.
    Statement {
        id: String,
        /// Write the exact bytes to this file, for `ssh-keygen`.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write a vote's signature to a file, for `ssh-keygen -Y verify`, and the `allowed_signers` beside it.
    Signature {
        id: String,
        /// Whose vote, by id.
        #[arg(long, value_name = "ID")]
        person: String,
        /// The file for the signature; the line for `allowed_signers` goes to the same name with `.allowed_signers`.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Wait until a request is approved, saying who is still missing: 0 once it is, 10 if it is denied, 11 if it expires, 12 if it is
    /// withdrawn, 5 if time runs out.
    Wait {
        id: String,
        /// How long to wait, seconds.
        #[arg(long, default_value_t = 3600)]
        timeout: u64,
    },
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    let approval = match verb {
        Verb::Request { action, parameters, why } => {
            let (action, parameters, reason) = (action.wire(), parameters.read()?, why.reason);
            client.request_approval(&RequestApproval { action, parameters, reason }).await?
        }
        Verb::Approve { id, on_behalf, signing, why } => {
            let vote = Approve { on_behalf, reason: why.reason, ..Approve::default() };
            signing::approve(session, (&id, &signing), vote).await?
        }
        Verb::Statement { id, out } => return signing::statement(session, &id, out.as_deref()).await,
        Verb::Signature { id, person, out } => {
            return signing::signature(session, (&id, &person), &out).await;
        }
        Verb::Revoke { id, why } => client.revoke_vote(&id, &why.wire()).await?,
        Verb::Delegate { person: to, from, until } => {
            return delegation::begin(session, &Delegate { to, from, until }).await;
        }
        Verb::Delegations => return delegation::list(session).await,
        Verb::Undelegate { why } => return delegation::end(session, &why.wire()).await,
        Verb::Deny { id, reason } => client.deny(&id, &Reason { reason: Some(reason) }).await?,
        Verb::Withdraw { id, why } => client.withdraw(&id, &why.wire()).await?,
        Verb::List { listed, mine, for_me, stuck } => {
            super::break_glass::banner(session, &client).await?;
            let listing = ApprovalListing { listing: listed.listing(), mine, for_me, stuck };
            return session.output.show(&client.approvals_of(&listing).await?, table);
        }
        Verb::Reciprocal => return session.output.show(&client.reciprocal_approvals().await?, reciprocal),
        Verb::Show { id } => client.approval(&id).await?,
        Verb::Wait { id, timeout } => wait::decided(&client, &id, timeout).await?,
    };
    session.output.show(&approval, show)
}

fn table(page: &Page<Approval>) -> String {
    let mut table =
        Table::new(["id", "status", "action", "requested by", "at", "note"], "there are no requests");
    for approval in &page.items {
        let action = spoken(&approval.action);
        table.row([
            &approval.id,
            &approval.status,
            &action,
            name(&approval.requester),
            &approval.requested_at,
            note(approval),
        ]);
    }
    table.render() + &more(page.next.as_ref())
}

fn vote(vote: &Vote) -> String {
    let place = vote.on_behalf.as_ref().map(|person| format!(" in place of {}", name(person)));
    let signed = vote.signature.as_ref().map(|it| format!(", signed by {}", it.fingerprint));
    let (place, signed) = (place.unwrap_or_default(), signed.unwrap_or_default());
    format!("{}{place} at {}{signed}", name(&vote.person), vote.at)
}

/// Why nothing can come of it.
fn stuck(stuck: &Stuck) -> String {
    let lacking = stuck.missing.iter().map(|missing| format!("{} of {}", missing.needed, missing.group));
    match stuck.code.as_str() {
        "policy_changed" => "the rules have changed: make a new request".to_owned(),
        _ => format!("nobody there is could be {}", lacking.collect::<Vec<_>>().join(" and ")),
    }
}

fn escalation(escalation: &Escalation) -> String {
    let to = escalation.to.join(", ");
    match &escalation.told_at {
        Some(told) => format!("nobody voted: {to} told at {told}"),
        None => format!("to {to} at {}", escalation.at),
    }
}

/// What somebody who looks through a list should stop at.
fn note(approval: &Approval) -> &'static str {
    let told = approval.escalation.as_ref().is_some_and(|escalation| escalation.told_at.is_some());
    match &approval.stuck {
        Some(_) => "stuck",
        None if told => "escalated",
        None => "",
    }
}

fn show(approval: &Approval) -> String {
    let votes = approval.votes.iter().map(vote);
    fields(&[
        ("id", approval.id.clone()),
        ("status", approval.status.clone()),
        ("action", spoken(&approval.action)),
        ("parameters", approval.parameters.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("digest", approval.parameters_sha256.clone()),
        ("reason", approval.reason.clone().unwrap_or_default()),
        ("requested by", format!("{} at {}", name(&approval.requester), approval.requested_at)),
        ("rules", approval.rules.join(", ")),
        ("signature", approval.signature.clone().unwrap_or_default()),
        ("fresh", approval.fresh_seconds.map(proving).unwrap_or_default()),
        ("expires", approval.expires_at.clone().unwrap_or_default()),
        ("approved by", votes.collect::<Vec<_>>().join("; ")),
        ("still needs", places(&approval.missing)),
        ("stuck", approval.stuck.as_ref().map(stuck).unwrap_or_default()),
        ("escalates", approval.escalation.as_ref().map(escalation).unwrap_or_default()),
        ("permit", approval.permit.clone().unwrap_or_default()),
    ])
}

fn reciprocal(report: &ReciprocalReport) -> String {
    let mut table =
        Table::new(["agreed", "to a request of", "at", "request"], "nobody agreed to each other's requests");
    for pair in &report.items {
        for vote in &pair.votes {
            let other = pair.people.iter().find(|person| person.id != vote.by.id);
            table.row([name(&vote.by), other.map(name).unwrap_or_default(), &vote.at, &vote.approval]);
        }
    }
    let rest = if report.complete {
        String::new()
    } else {
        format!("\nonly the {} newest requests were looked at", report.looked_at)
    };
    table.render() + &rest
}
