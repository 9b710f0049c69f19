//! Nobody is there to agree, so Ana breaks the glass: it works at once, everybody is told, and the debt stops everybody until it is paid.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use countersign_api::Reason;
use countersign_api::break_glass::{BreakGlass, ReviewBreakGlass, Verdict};
use countersign_api::permit::{FinishPermit, Outcome};
use countersign_api::problem::Problem;
use countersign_client::{Client, Listing};

use super::signed::{enroll, has_ssh_keygen, key_of};
use super::told::{Judgement, Told};
use super::word;
use crate::demo::cast::{Cast, Who};
use crate::demo::child::{self, Ended};

/// How long it may take until the review is overdue; the demo's policy gives it two seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked at until then.
const EVERY: Duration = Duration::from_millis(100);

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    if !has_ssh_keygen().await {
        let seen = ("`ssh-keygen` of OpenSSH", "there is none on this machine: install openssh-client");
        return told.judged("break-glass is left out", seen, Judgement::Holds);
    }
    enroll(cast, Who::Ana).await?;
    let key = key_of(cast, Who::Ana);
    let opened = open(cast, &key).await?;
    let broken: BreakGlass = serde_json::from_str(&opened.stdout).context("what `break-glass open` says")?;
    everybody_is_told(cast, told, &broken).await?;
    work(cast.client(Who::Ana)?, told, &broken).await?;
    debt(cast, told, (&broken, &key)).await
}

/// A permit without anybody's consent, and nobody in the dark about it.
async fn everybody_is_told(cast: &Cast, told: &mut Told, broken: &BreakGlass) -> anyhow::Result<()> {
    let permit = cast.client(Who::Ana)?.permit(&broken.permit).await?;
    told.same(
        "Ana breaks the glass with a reason and her own key: a permit at once, without any approval",
        "reserved, without approval",
        format!("{}, {}", permit.status, permit.approval.map_or("without approval".to_owned(), |id| id)),
    )?;
    let aud = cast.client(Who::Aud)?;
    let newest = Listing { limit: Some(1), ..Listing::default() };
    let incident = aud.incidents(&newest).await?.items.into_iter().next().context("there is no incident")?;
    let gauge = "countersign_break_glass_open 1";
    let metrics = aud.metrics().await?;
    let counted = metrics.lines().find(|line| line.starts_with("countersign_break_glass_open"));
    let shown = cast.client(Who::Ben)?.one_broken_glass(&broken.id).await?;
    told.same(
        "everybody is told who did it and why: an incident, a gauge, the reason for its reviewers",
        format!("break-glass about {}, {gauge}, Ana: {REASON}", broken.id),
        format!(
            "{} about {}, {}, {}: {}",
            incident.cause,
            incident.about,
            counted.unwrap_or("no gauge"),
            shown.person.name.as_deref().unwrap_or("?"),
            shown.reason.unwrap_or_default()
        ),
    )
}

async fn work(ana: &Client, told: &mut Told, broken: &BreakGlass) -> anyhow::Result<()> {
    ana.start_permit(&broken.permit, &Reason::default()).await?;
    let finish = FinishPermit { outcome: Outcome::Succeeded, report: None, reason: None };
    let done = ana.finish_permit(&broken.permit, &finish).await?;
    let own = ana.review_break_glass(&broken.id, &verdict(Verdict::Justified)).await;
    told.same(
        "the work is done, the debt stays, and Ana does not review herself",
        "succeeded, self_review",
        format!("{}, {}", done.status, word(&own)),
    )
}

/// Overdue, it stops everybody; reviewed by somebody else, it is settled, and as late as it was.
async fn debt(cast: &Cast, told: &mut Told, (broken, key): (&BreakGlass, &Path)) -> anyhow::Result<()> {
    let ben = cast.client(Who::Ben)?;
    overdue(ben, &broken.id).await?;
    let again = open(cast, key).await?;
    told.same(
        "while its review is overdue nobody breaks the glass again, and who could review it is named",
        "break_glass_overdue, needs Ben, Chloe",
        refused(&again)?,
    )?;
    let settled = ben.review_break_glass(&broken.id, &verdict(Verdict::Justified)).await?;
    told.same(
        "Ben reviews it: settled, and on record as late",
        "settled, justified, late",
        format!(
            "{}, {}, {}",
            settled.status,
            settled.verdict.map_or("no verdict", Verdict::as_str),
            settled.timeliness.unwrap_or_default()
        ),
    )?;
    let again = open(cast, key).await?;
    let second: BreakGlass = serde_json::from_str(&again.stdout).context("what `break-glass open` says")?;
    let chloe = cast.client(Who::Chloe)?;
    let blamed = chloe.review_break_glass(&second.id, &verdict(Verdict::Unjustified)).await?;
    told.same(
        "with the debt paid it works again; this time Chloe finds it unjustified, which stays on record",
        "settled, unjustified",
        format!("{}, {}", blamed.status, blamed.verdict.map_or("no verdict", Verdict::as_str)),
    )
}

const REASON: &str = "the primary region is gone and nobody answers";

fn verdict(verdict: Verdict) -> ReviewBreakGlass {
    ReviewBreakGlass { verdict, reason: "read the timeline of the incident".to_owned() }
}

/// Waits until nobody has reviewed it in time.
async fn overdue(client: &Client, id: &str) -> anyhow::Result<()> {
    let passed = async {
        while client.one_broken_glass(id).await?.status != "overdue" {
            tokio::time::sleep(EVERY).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, passed).await.context("the review is not overdue in time")?
}

/// What Ana types.
async fn open(cast: &Cast, key: &Path) -> anyhow::Result<Ended> {
    let credential = cast.places.credential(Who::Ana);
    let arguments = [
        "--json".as_ref(),
        "--credential".as_ref(),
        credential.as_os_str(),
        "break-glass".as_ref(),
        "open".as_ref(),
        "failover".as_ref(),
        "region/eu".as_ref(),
        "production".as_ref(),
        "--param".as_ref(),
        "to=eu-west".as_ref(),
        "--reason".as_ref(),
        OsStr::new(REASON),
        "--yes".as_ref(),
        "--key".as_ref(),
        key.as_os_str(),
    ];
    child::run(&arguments).await
}

/// The code of the refusal that a command prints as JSON, and whose review it asks for.
fn refused(ended: &Ended) -> anyhow::Result<String> {
    let problem: Problem = serde_json::from_str(&ended.stdout).context("what a refused command says")?;
    let could = problem.missing.into_iter().flat_map(|missing| missing.could);
    let mut names: Vec<String> = could.filter_map(|person| person.name).collect();
    names.sort();
    Ok(format!("{}, needs {}", problem.code, names.join(", ")))
}
