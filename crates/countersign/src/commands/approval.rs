//! `countersign approval …`

use std::time::Duration;

use clap::Subcommand;
use countersign_api::approval::{Approval, Approve, Escalation, RequestApproval, Stuck, Vote};
use countersign_api::delegation::Delegate;
use countersign_api::{Page, Reason};

use super::delegation;
use super::{Session, more, name, spoken};
use crate::cli::{Action, Listed, Why};
use crate::failure::{Failure, Kind};
use crate::output::{Table, fields};
use crate::parameters::Parameters;

/// How often a request is looked at while somebody waits for it.
const EVERY: Duration = Duration::from_millis(500);

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
    List(Listed),
    /// One request with its parameters and votes.
    Show { id: String },
    /// Wait until a request is approved; ends with 3 if it never will be, with 5 if time runs out.
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
        Verb::Approve { id, on_behalf, why } => {
            client.vote(&id, &Approve { on_behalf, reason: why.reason }).await?
        }
        Verb::Revoke { id, why } => client.revoke_vote(&id, &why.wire()).await?,
        Verb::Delegate { person: to, from, until } => {
            return delegation::begin(session, &Delegate { to, from, until }).await;
        }
        Verb::Delegations => return delegation::list(session).await,
        Verb::Undelegate { why } => return delegation::end(session, &why.wire()).await,
        Verb::Deny { id, reason } => client.deny(&id, &Reason { reason: Some(reason) }).await?,
        Verb::Withdraw { id, why } => client.withdraw(&id, &why.wire()).await?,
        Verb::List(listed) => return session.output.show(&client.approvals(&listed.listing()).await?, table),
        Verb::Show { id } => client.approval(&id).await?,
        Verb::Wait { id, timeout } => {
            let waited = tokio::time::timeout(Duration::from_secs(timeout), decided(&client, &id)).await;
            let late =
                |_| Failure::new(Kind::Unavailable, format!("`{id}` was not decided within {timeout} s"));
            waited.map_err(late)??
        }
    };
    session.output.show(&approval, show)
}

/// The request once it is approved; an error once it never will be.
async fn decided(client: &countersign_client::Client, id: &str) -> anyhow::Result<Approval> {
    loop {
        let approval = client.approval(id).await?;
        match approval.status.as_str() {
            "pending" => tokio::time::sleep(EVERY).await,
            "approved" | "consumed" => return Ok(approval),
            other => return Err(Failure::new(Kind::Refused, format!("the request is {other}")).into()),
        }
    }
}

fn table(page: &Page<Approval>) -> String {
    let mut table = Table::new(["id", "status", "action", "requested by", "at"], "there are no requests");
    for approval in &page.items {
        let action = spoken(&approval.action);
        table.row([
            &approval.id,
            &approval.status,
            &action,
            name(&approval.requester),
            &approval.requested_at,
        ]);
    }
    table.render() + &more(page.next.as_ref())
}

fn vote(vote: &Vote) -> String {
    let place = vote.on_behalf.as_ref().map(|person| format!(" in place of {}", name(person)));
    format!("{}{} at {}", name(&vote.person), place.unwrap_or_default(), vote.at)
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

fn show(approval: &Approval) -> String {
    let votes = approval.votes.iter().map(vote);
    let missing = approval.missing.iter().map(|missing| {
        let could: Vec<&str> = missing.could.iter().map(name).collect();
        format!("{} of {}: {}", missing.needed, missing.group, could.join(", "))
    });
    fields(&[
        ("id", approval.id.clone()),
        ("status", approval.status.clone()),
        ("action", spoken(&approval.action)),
        ("parameters", approval.parameters.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("digest", approval.parameters_sha256.clone()),
        ("reason", approval.reason.clone().unwrap_or_default()),
        ("requested by", format!("{} at {}", name(&approval.requester), approval.requested_at)),
        ("rules", approval.rules.join(", ")),
        ("expires", approval.expires_at.clone().unwrap_or_default()),
        ("approved by", votes.collect::<Vec<_>>().join("; ")),
        ("still needs", missing.collect::<Vec<_>>().join("; ")),
        ("stuck", approval.stuck.as_ref().map(stuck).unwrap_or_default()),
        ("escalates", approval.escalation.as_ref().map(escalation).unwrap_or_default()),
        ("permit", approval.permit.clone().unwrap_or_default()),
    ])
}
