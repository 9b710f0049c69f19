//! Hears of appends: a session of its own that listens, made again whenever it is lost.
//!
//! A hint and nothing more. What was not heard is found by looking, which the engine does anyway to know how old its state is.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Config, Error, NoTls, Socket};

use super::address::Address;
use super::driver::Driver;
use crate::store::Heard;

/// The pause before a lost session is made again.
const PAUSE: Duration = Duration::from_millis(500);

/// Listens until the driver ends.
pub(super) fn listen(driver: &Driver, address: Arc<Address>, heard: Heard) {
    driver.handle().spawn(async move {
        loop {
            let config = address.config.clone();
            let ended = match address.tls.clone() {
                Some(tls) => hear(config, tls, &heard).await,
                None => hear(config, NoTls, &heard).await,
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "nothing is heard of other nodes at present; the log is looked at from time to time");
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
}

async fn hear<T>(config: Config, tls: T, heard: &Heard) -> Result<(), Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, mut connection) = config.connect(tls).await?;
    let said = async {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(said) = message?
                && let Ok(size) = said.payload().parse()
            {
                heard(size);
            }
        }
        Ok(())
    };
    let asked = async {
        client.batch_execute("LISTEN countersign").await?;
        pending().await
    };
    tokio::select! {
        ended = said => ended,
        failed = asked => failed,
    }
}
