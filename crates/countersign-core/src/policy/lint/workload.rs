//! Workloads: claims that will change under them, and owners who could do nothing.

use alloc::format;

use super::{Found, Severity, Words};
use crate::policy::Workload;

impl Found<'_> {
    pub(super) fn workload(&mut self, workload: &Workload) {
        let place = |field: &str| format!("workloads.{}.{field}", workload.name);
        if workload.claims.contains_key("sub") {
            let what =
                "the format of `sub` is its issuer's to change, and differs between repositories".into();
            let right = "name the ids and the environment that `sub` is made of instead";
            self.add(Severity::Warning, place("claims"), Words { code: "workload_by_subject", what, right });
        }
        if !self.policy.everybody().contains(&workload.owner) {
            let what =
                "who answers for it is in no group, and a token does nothing that its owner may not".into();
            let right = "name somebody who may do what it is for, or put them into a group that may";
            let words = Words { code: "workload_owner_powerless", what, right };
            self.add_about(Severity::Warning, place("owner"), (words, [workload.owner].into()));
        }
        let others = self.policy.workloads.iter().filter(|other| other.name != workload.name);
        let same = |other: &&Workload| other.recognises(&workload.issuer, &workload.claims);
        for wider in others.filter(same) {
            let what = format!("whoever is recognised as it is recognised as `{}`, too", wider.name);
            let right =
                "see that its jobs say which they are with `audience`, or tell the two apart by a claim";
            self.add(Severity::Note, place("claims"), Words { code: "workloads_overlap", what, right });
        }
    }
}
