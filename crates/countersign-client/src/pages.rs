//! Lists longer than a page: newest first, one page at a time, each asked for with the cursor of the one before.

use std::marker::PhantomData;

use countersign_api::Page;
use countersign_api::ledger::EntryListing;
use serde::de::DeserializeOwned;

use crate::{Client, ClientError};

/// Which part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Only items stored in this state.
    pub status: Option<String>,
    /// Items on a page, 1 to 200; the server's choice unless told otherwise.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// Which requests for approval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApprovalListing {
    /// Which part.
    pub listing: Listing,
    /// Only those that the caller made.
    pub mine: bool,
    /// Only those that wait for the caller's vote, in their own place or in that of somebody who delegated it.
    pub for_me: bool,
    /// Only those of which nothing can come as things are.
    pub stuck: bool,
}

impl ApprovalListing {
    pub(crate) fn route(&self, path: &'static [&'static str]) -> ListRoute {
        let mut route = self.listing.route(path);
        let filters = [("mine", self.mine), ("for_me", self.for_me), ("stuck", self.stuck)];
        route
            .query
            .extend(filters.iter().filter(|(_, set)| *set).map(|(name, _)| (*name, "true".to_owned())));
        route
    }
}

/// Which entries an evidence bundle is about: every filter that is set must match. As typed; the server reads it strictly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidenceScope {
    /// Everything of one cause with this subject.
    pub case: Option<String>,
    /// Everything of one correlation.
    pub correlation: Option<String>,
    /// About this subject.
    pub subject: Option<String>,
    /// Caused by this actor.
    pub actor: Option<String>,
    /// About subjects that concern this resource.
    pub resource: Option<String>,
    /// In this environment.
    pub environment: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Not before.
    pub from: Option<String>,
    /// Before.
    pub until: Option<String>,
}

impl EvidenceScope {
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let Self { case, correlation, subject, actor, resource, environment, kind, from, until } =
            self.clone();
        present([
            ("case", case),
            ("correlation", correlation),
            ("subject", subject),
            ("actor", actor),
            ("resource", resource),
            ("environment", environment),
            ("kind", kind),
            ("from", from),
            ("until", until),
        ])
    }
}

/// A route that lists, with its query.
#[derive(Clone, Debug)]
pub(crate) struct ListRoute {
    pub path: &'static [&'static str],
    /// The parameter that takes the `next` of the page before.
    pub cursor: &'static str,
    pub query: Vec<(&'static str, String)>,
}

impl Listing {
    pub(crate) fn route(&self, path: &'static [&'static str]) -> ListRoute {
        let given = [
            ("status", self.status.clone()),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("after", self.after.clone()),
        ];
        ListRoute { path, cursor: "after", query: present(given) }
    }
}

/// The route of entries, with every filter that is set.
pub(crate) fn entries(asked: &EntryListing) -> ListRoute {
    let asked = asked.clone();
    let given = [
        ("from", asked.from.map(|from| from.to_string())),
        ("limit", asked.limit.map(|limit| limit.to_string())),
        ("order", asked.order),
        ("actor", asked.actor),
        ("correlation", asked.correlation),
        ("environment", asked.environment),
        ("kind", asked.kind),
        ("subject", asked.subject),
        ("resource", asked.resource),
        ("verb", asked.verb),
        ("from_time", asked.from_time),
        ("until_time", asked.until_time),
        ("text", asked.text),
    ];
    ListRoute { path: &["admin", "entries"], cursor: "from", query: present(given) }
}

fn present<const N: usize>(given: [(&'static str, Option<String>); N]) -> Vec<(&'static str, String)> {
    given.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
}

impl ListRoute {
    fn at(&mut self, cursor: String) {
        self.query.retain(|(name, _)| *name != self.cursor);
        self.query.push((self.cursor, cursor));
    }
}

/// The pages of a list, fetched as they are asked for.
#[derive(Debug)]
pub struct Pages<'c, T> {
    client: &'c Client,
    /// The next page to ask for; none after the last.
    route: Option<ListRoute>,
    items: PhantomData<fn() -> T>,
}

impl<'c, T: DeserializeOwned> Pages<'c, T> {
    pub(crate) fn new(client: &'c Client, route: ListRoute) -> Self {
        Self { client, route: Some(route), items: PhantomData }
    }

    /// The next page; none after the last.
    ///
    /// # Errors
    /// Any [`ClientError`]; the same page is asked for again afterwards.
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, ClientError> {
        let Some(route) = &mut self.route else { return Ok(None) };
        let page: Page<T> = self.client.page(route).await?;
        match page.next {
            Some(cursor) => route.at(cursor),
            None => self.route = None,
        }
        Ok(Some(page.items))
    }

    /// Everything from here on, at most `most` items: lists have no end that a caller could rely on.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn collect(mut self, most: usize) -> Result<Vec<T>, ClientError> {
        let mut all = Vec::new();
        while all.len() < most {
            let Some(items) = self.next().await? else { break };
            all.extend(items);
        }
        all.truncate(most);
        Ok(all)
    }
}
