//! What all pages share: the frame around them, and how a problem looks.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use countersign_api::problem::Problem;
use countersign_core::id::PersonId;
use countersign_ledger::display::visible;

use super::super::names::Known;
use super::super::problem::Rejected;
use super::assets;

/// The frame around a page.
pub(super) struct Shell {
    pub title: String,
    pub who: Option<Who>,
    pub style: &'static str,
    pub script: &'static str,
    pub icon: &'static str,
}

/// Whose page it is, and the token of the form that signs them out.
pub(super) struct Who {
    pub name: String,
    pub sign_out: String,
}

impl Shell {
    pub(super) fn new(title: &str, who: Option<Who>) -> Self {
        Self {
            title: title.to_owned(),
            who,
            style: assets::style(),
            script: assets::script(),
            icon: assets::icon(),
        }
    }
}

/// A page with this status.
pub(super) fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => Rejected::unavailable(format!("the page could not be made: {error}")).into_response(),
    }
}

/// A part of a page, which a file of its own makes.
pub(super) fn part(part: &impl Template) -> Result<String, Rejected> {
    part.render().map_err(|error| Rejected::unavailable(format!("the page could not be made: {error}")))
}

/// Answers a form: go and look there. Repeating that is harmless.
pub(super) fn see(path: &str) -> Response {
    let Ok(path) = HeaderValue::from_str(path) else { return StatusCode::NOT_FOUND.into_response() };
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    shell: Shell,
    title: String,
    detail: String,
    hint: String,
    code: String,
    request_id: String,
}

/// A problem as a page.
pub(in super::super) fn told(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let page = ProblemPage {
        shell: Shell::new(&problem.title, None),
        title: sentence(&problem.title),
        detail: sentence(&problem.detail),
        hint: sentence(&problem.hint),
        code: problem.code,
        request_id: problem.request_id.unwrap_or_default(),
    };
    html(status, &page)
}

/// What somebody is called.
pub(super) fn name(id: PersonId, known: &Known) -> String {
    visible(&known.get(&id).cloned().flatten().unwrap_or_else(|| id.to_string()))
}

/// Why something was refused and what to do about it, for a page that is shown once more.
pub(super) fn explained(problem: &Problem) -> String {
    format!("{} {}", sentence(&problem.detail), sentence(&problem.hint))
}

/// As people write it; what could hide or reorder anything is made visible.
pub(super) fn sentence(text: &str) -> String {
    let text = visible(text);
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!', ')']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
