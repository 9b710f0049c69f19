//! What waits for whoever is signed in, and what they asked for.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::{Item, approval};
use countersign_ledger::display::visible;

use super::super::App;
use super::super::inbox::{self, Query};
use super::super::names::Known;
use super::super::problem::Rejected;
use super::filters;
use super::page::{Shell, html, name};
use super::visit::SignedIn;

/// How many of each are shown.
const SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "inbox.html")]
struct Page {
    shell: Shell,
    waiting: Vec<Row>,
    mine: Vec<Row>,
}

struct Row {
    id: String,
    action: String,
    requester: String,
    status: &'static str,
    until: Option<String>,
}

/// The page.
pub(super) async fn show(State(app): State<App>, me: SignedIn) -> Result<Response, Rejected> {
    let known = app.known().await;
    let mut lists = Vec::with_capacity(2);
    for (for_me, mine) in [(true, false), (false, true)] {
        let query = Query { status: None, limit: Some(SHOWN), after: None, mine, for_me, stuck: false };
        let (items, _) = inbox::page(&app, &me.caller(), query).await?;
        let rows = items.into_iter().filter_map(|item| match item {
            Item::Approval(approval) => Some(row(&app, &known, &approval)),
            _ => None,
        });
        lists.push(rows.collect());
    }
    let (mine, waiting) = (lists.pop().unwrap_or_default(), lists.pop().unwrap_or_default());
    Ok(html(StatusCode::OK, &Page { shell: me.shell(&app, "Requests").await, waiting, mine }))
}

fn row(app: &App, known: &Known, approval: &approval::Approval) -> Row {
    Row {
        id: approval.id.to_string(),
        action: spoken(&approval.action),
        requester: name(approval.requester, known),
        status: approval.status_at(app.engine.now()).as_str(),
        until: approval.deadline().map(|deadline| deadline.to_string()),
    }
}

/// The action in its three words.
pub(super) fn spoken(action: &countersign_core::action::Action) -> String {
    visible(&format!("{} {} {}", action.verb, action.resource, action.environment))
}
