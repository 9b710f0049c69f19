//! Rotations over real HTTP, a real database and the real sealed store: all the way, back, and stuck where they must be.

mod fixture;
mod journeys;
mod receiver;
mod trouble;
