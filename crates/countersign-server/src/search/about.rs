//! Which resource and verb an entry is about. An approval names its action once, in its first entry; a vote on it is about the same
//! action all the same, and so is an incident about its permit.

use std::collections::BTreeMap;

use countersign_ledger::entry::EntryView;
use serde::Deserialize;

use super::terms::About;
use crate::store::{Reader, StoreError};

/// Subjects remembered before all are forgotten: enough for what is alive at one time, little enough for a million subjects.
const REMEMBERED: usize = 8_192;

/// What the first entry of an approval, permit, rotation or incident says it is about.
const NAMED_ONCE: [&str; 4] = ["apr_", "prm_", "rot_", "inc_"];

/// The verb of every rotation.
const ROTATE: &str = "rotate";

/// The members of an event's data that name an action, whichever kind of event it is.
#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    action: Option<Action<'a>>,
    #[serde(borrow)]
    secret: Option<&'a str>,
    #[serde(borrow)]
    about: Option<&'a str>,
}

#[derive(Deserialize)]
struct Action<'a> {
    verb: &'a str,
    resource: &'a str,
}

/// Says what entries are about, and remembers what it looked up.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    known: BTreeMap<String, About>,
}

impl Subjects {
    /// What an entry is about.
    ///
    /// # Errors
    /// The first entry of its subject cannot be read.
    pub(super) fn about(
        &mut self,
        view: &EntryView<'_>,
        reader: &mut dyn Reader,
    ) -> Result<About, StoreError> {
        let once = NAMED_ONCE.iter().any(|prefix| view.subject.starts_with(prefix));
        if !once {
            return Ok(told(view).0);
        }
        if view.subject_seq > 1 {
            return self.of_subject(view.subject, reader);
        }
        let about = self.first(view, reader)?;
        self.remember(view.subject, about.clone());
        Ok(about)
    }

    /// What the first entry of a subject says.
    fn first(&mut self, view: &EntryView<'_>, reader: &mut dyn Reader) -> Result<About, StoreError> {
        match told(view) {
            (_, Some(other)) if other != view.subject => self.of_subject(other, reader),
            (about, _) => Ok(about),
        }
    }

    fn of_subject(&mut self, subject: &str, reader: &mut dyn Reader) -> Result<About, StoreError> {
        if let Some(about) = self.known.get(subject) {
            return Ok(about.clone());
        }
        let about = match reader.entries_of(subject, 0, 1)?.first() {
            Some(entry) => {
                let corrupt = |error| StoreError::Corrupt(format!("entry {}: {error}", entry.index));
                // One step only: what an incident is about names its action itself.
                told(&EntryView::parse(&entry.leaf).map_err(corrupt)?).0
            }
            None => About::default(),
        };
        self.remember(subject, about.clone());
        Ok(about)
    }

    fn remember(&mut self, subject: &str, about: About) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(subject.to_owned(), about);
    }
}

/// What an entry itself names, and the subject it points to instead.
fn told<'a>(view: &EntryView<'a>) -> (About, Option<&'a str>) {
    // Data of another shape name no action.
    let data = serde_json::from_str(view.data).unwrap_or(Data { action: None, secret: None, about: None });
    let secret = data.secret.or(Some(view.subject)).and_then(|subject| subject.strip_prefix("secret:"));
    let secret = secret.and_then(|secret| secret.split_once('@')).map(|(resource, _)| resource.to_owned());
    let about = match data.action {
        Some(Action { verb, resource }) => {
            About { resource: Some(resource.to_owned()), verb: Some(verb.to_owned()) }
        }
        None => {
            let rotates = secret.is_some() && view.subject.starts_with("rot_");
            About { resource: secret, verb: rotates.then(|| ROTATE.to_owned()) }
        }
    };
    (about, data.about)
}
