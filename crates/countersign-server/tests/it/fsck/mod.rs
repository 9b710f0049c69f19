//! A store checked as a whole: every kind of damage, done to a real database file with real statements and bytes, is caught and named;
//! what is derived is made again exactly as it was, and evidence is never touched.

mod damage;
mod ground;
mod repair;
