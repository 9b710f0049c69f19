//! Style, script and sign of the pages, under names that change with their bytes, so that browsers may keep them for ever.

use std::sync::OnceLock;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use countersign_ledger::hash::sha256;

use super::super::address::Named;
use super::super::hygiene::ASSETS;

/// Bytes of the digest that are in a name, as digits.
const DIGITS: usize = 16;

const KEPT: &str = "public, max-age=31536000, immutable";

struct Asset {
    stem: &'static str,
    suffix: &'static str,
    kind: &'static str,
    text: &'static str,
    path: OnceLock<String>,
}

static STYLE: Asset =
    Asset::new(("style", ".css"), "text/css; charset=utf-8", include_str!("../../../assets/app.css"));
static SCRIPT: Asset =
    Asset::new(("script", ".js"), "text/javascript; charset=utf-8", include_str!("../../../assets/app.js"));
static ICON: Asset = Asset::new(("icon", ".svg"), "image/svg+xml", include_str!("../../../assets/icon.svg"));

impl Asset {
    const fn new(
        (stem, suffix): (&'static str, &'static str),
        kind: &'static str,
        text: &'static str,
    ) -> Self {
        Self { stem, suffix, kind, text, path: OnceLock::new() }
    }

    fn path(&self) -> &str {
        self.path.get_or_init(|| {
            let digest: String = sha256(self.text.as_bytes()).to_string().chars().take(DIGITS).collect();
            format!("{ASSETS}{}-{digest}{}", self.stem, self.suffix)
        })
    }
}

pub(super) fn style() -> &'static str {
    STYLE.path()
}

pub(super) fn script() -> &'static str {
    SCRIPT.path()
}

pub(super) fn icon() -> &'static str {
    ICON.path()
}

/// One of them, by its present name.
pub(super) async fn show(Named(name): Named<String>) -> Response {
    let asked = format!("{ASSETS}{name}");
    match [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.path() == asked) {
        Some(asset) => {
            ([(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, KEPT)], asset.text).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
