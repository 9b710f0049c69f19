//! The catalogue of refusals: one example of each, so that references and tests can go through all there are.
//!
//! Kept beside each enum by [`listed`], which does not compile when a variant is missing.

/// Gives a refusal its `ALL`: one example of every variant, in order of precedence.
macro_rules! listed {
    ($refusal:ident: $($variant:ident $(($($field:tt)*))? $({$($named:tt)*})?,)*) => {
        impl $refusal {
            /// One example of every refusal, in order of precedence.
            pub const ALL: &'static [Self] = &[$(Self::$variant $(($($field)*))? $({$($named)*})?),*];
        }

        /// Does not compile when a variant is missing above.
        const _: fn(&$refusal) = |refusal| match refusal {
            $($refusal::$variant { .. } => {})*
        };
    };
}

pub(crate) use listed;
