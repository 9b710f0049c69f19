//! `countersign break-glass …`

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use countersign_api::Page;
use countersign_api::break_glass::{BreakGlass, OpenBreakGlass, Opinion, ReviewBreakGlass, Verdict};
use countersign_client::{Client, Listing};
use countersign_core::time::Time;
use countersign_ledger::break_glass::{NAMESPACE, Statement};
use countersign_ledger::display;
use countersign_ledger::hash::Hash;
use countersign_ledger::json;
use serde_json::Value;

use super::node::draw_key;
use super::{Session, more, name, places, signing, spoken};
use crate::cli::{Action, Listed};
use crate::output::{Table, fields};
use crate::parameters::Parameters;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Act now, without anybody's consent: gives a permit, tells everybody, and leaves a debt that others review.
    Open {
        #[command(flatten)]
        action: Action,
        #[command(flatten)]
        parameters: Parameters,
        /// Why. Whoever reviews it reads this first.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Your enrolled voting key: a private key, or a public key that the agent holds.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Do not ask whether to sign.
        #[arg(long)]
        yes: bool,
    },
    /// Say whether it was right, of something that somebody else did.
    Review {
        id: String,
        verdict: Word,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// What was done so, newest first, and who still owes a review.
    List(Listed),
    /// One, with its parameters, its reason and its review.
    Show { id: String },
}

/// Whether it was right.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Word {
    /// It was.
    Justified,
    /// It was not.
    Unjustified,
}

impl From<Word> for Verdict {
    fn from(word: Word) -> Self {
        match word {
            Word::Justified => Self::Justified,
            Word::Unjustified => Self::Unjustified,
        }
    }
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    let shown = match verb {
        Verb::Open { action, parameters, reason, key, yes } => {
            let wanted = Wanted { action: action.wire(), parameters: parameters.read()?, reason };
            let statement = wanted.statement(&client).await?;
            let bytes = statement.to_bytes();
            session
                .output
                .say(&format!("You are about to break the glass and sign:\n\n{}", display::text(&bytes)?))?;
            signing::confirm(yes)?;
            let signature = signing::sign(&key, NAMESPACE, &bytes)?;
            client.break_glass(&wanted.signed(statement, signature)).await?
        }
        Verb::Review { id, verdict, reason } => {
            client.review_break_glass(&id, &ReviewBreakGlass { verdict: verdict.into(), reason }).await?
        }
        Verb::List(listed) => {
            return session.output.show(&client.broken_glass(&listed.listing()).await?, table);
        }
        Verb::Show { id } => client.one_broken_glass(&id).await?,
    };
    session.output.show(&shown, show)
}

/// What somebody is about to do.
struct Wanted {
    action: countersign_api::Action,
    parameters: Value,
    reason: String,
}

impl Wanted {
    /// What is to be signed: now, by whoever the credential belongs to, for the log of this server.
    async fn statement(&self, client: &Client) -> anyhow::Result<Statement> {
        let note = client.checkpoint().await?;
        let log = note.lines().next().context("the checkpoint names no log")?.to_owned();
        let person = client.me().await?.id;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
        let countersign_api::Action { verb, resource, environment } = self.action.clone();
        Ok(Statement {
            action: [verb, resource, environment],
            log,
            parameters: json::parse(&json::to_canonical(&self.parameters)?)?,
            parameters_salt: Hash(draw_key()?),
            person,
            reason: self.reason.clone(),
            time: Time::from_millis(i64::try_from(now.as_millis())?).to_string(),
        })
    }

    fn signed(self, statement: Statement, signature: String) -> OpenBreakGlass {
        let Self { action, parameters, reason } = self;
        let (parameters_salt, time) = (statement.parameters_salt.to_string(), statement.time);
        OpenBreakGlass { action, parameters, parameters_salt, reason, time, signature }
    }
}

/// One line where there are debts: whoever looks at anything should know. Who may not read them is told nothing.
pub(crate) async fn banner(session: &Session, client: &Client) -> anyhow::Result<()> {
    if session.output.is_json() {
        return Ok(());
    }
    let mut debts = Vec::new();
    for status in ["overdue", "open"] {
        let listing = Listing { status: Some(status.to_owned()), limit: Some(200), after: None };
        match client.broken_glass(&listing).await {
            Ok(page) => debts.extend(page.items),
            Err(_) => return Ok(()),
        }
    }
    if debts.is_empty() { Ok(()) } else { session.output.say(&warning(&debts)) }
}

fn warning(debts: &[BreakGlass]) -> String {
    let overdue = debts.iter().filter(|debt| debt.status == "overdue").count();
    let one = |debt: &BreakGlass| {
        format!(
            "\n! {} by {}: {}, review by {}",
            debt.id,
            name(&debt.person),
            spoken(&debt.action),
            debt.review_until
        )
    };
    let lines: String = debts.iter().map(one).collect();
    let open = debts.len();
    let stopped = if overdue > 0 { "; nobody breaks the glass until the overdue are reviewed" } else { "" };
    format!("! break-glass: {open} not reviewed, {overdue} overdue{stopped}{lines}\n")
}

fn table(page: &Page<BreakGlass>) -> String {
    let head = ["id", "status", "action", "by", "opened at", "review until", "verdict"];
    let mut table = Table::new(head, "nobody broke the glass");
    for it in &page.items {
        let (action, verdict) = (spoken(&it.action), it.verdict.map_or("", Verdict::as_str));
        table.row([&it.id, &it.status, &action, name(&it.person), &it.opened_at, &it.review_until, verdict]);
    }
    table.render() + &more(page.next.as_ref())
}

fn show(it: &BreakGlass) -> String {
    let given = |value: &Option<String>| value.clone().unwrap_or_default();
    let opinion = |it: &Opinion| format!("{} by {} at {}", it.verdict.as_str(), name(&it.person), it.at);
    fields(&[
        ("id", it.id.clone()),
        ("status", it.status.clone()),
        ("action", spoken(&it.action)),
        ("parameters", it.parameters.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("digest", it.parameters_sha256.clone()),
        ("reason", given(&it.reason)),
        ("by", format!("{} at {}", name(&it.person), it.opened_at)),
        ("signed with", it.key_sha256.clone()),
        ("permit", it.permit.clone()),
        ("review until", it.review_until.clone()),
        ("reviewed", it.opinions.iter().map(opinion).collect::<Vec<_>>().join("; ")),
        ("still needs", places(&it.missing)),
        ("settled at", given(&it.settled_at)),
        ("verdict", it.verdict.map_or("", Verdict::as_str).to_owned()),
        ("review came", given(&it.timeliness)),
    ])
}
