//! `countersign approval delegate`, `delegations` and `undelegate`

use countersign_api::Reason;
use countersign_api::delegation::{Delegate, Delegation, Delegations};

use super::{Session, name};
use crate::output::{Table, fields};

pub(crate) async fn begin(session: &Session, delegate: &Delegate) -> anyhow::Result<()> {
    session.output.show(&session.client()?.delegate(delegate).await?, show)
}

pub(crate) async fn list(session: &Session) -> anyhow::Result<()> {
    session.output.show(&session.client()?.delegations().await?, table)
}

pub(crate) async fn end(session: &Session, reason: &Reason) -> anyhow::Result<()> {
    session.output.show(&session.client()?.end_delegation(reason).await?, |_| {
        "nobody agrees in your place any more; what was agreed stands".to_owned()
    })
}

fn table(delegations: &Delegations) -> String {
    let mut table = Table::new(["in place of", "delegate", "from", "until", "now"], "nobody has delegated");
    for Delegation { person, to, from, until, active } in &delegations.items {
        table.row([name(person), name(to), from, until, if *active { "active" } else { "to come" }]);
    }
    table.render()
}

fn show(delegation: &Delegation) -> String {
    fields(&[
        ("in place of", name(&delegation.person).to_owned()),
        ("delegate", name(&delegation.to).to_owned()),
        ("from", delegation.from.clone()),
        ("until", delegation.until.clone()),
    ])
}
