//! libFuzzer's program. `COUNTERSIGN_FUZZ` names the target; with `list` the targets' names are printed. Before anything else the
//! target's seeds are written into the folder `COUNTERSIGN_SEEDS`. All arguments are libFuzzer's own; see `scripts/fuzz`.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::{env, fs, process};

use countersign_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = env::var("COUNTERSIGN_FUZZ").expect("COUNTERSIGN_FUZZ names a target");
    let target = TARGETS.iter().find(|target| target.name == name);
    *target.unwrap_or_else(|| panic!("there is no target `{name}`"))
});

fuzz_target!(
    init: prepare(),
    |input: &[u8]| (TARGET.check)(input)
);

fn prepare() {
    if env::var("COUNTERSIGN_FUZZ").as_deref() == Ok("list") {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        process::exit(0);
    }
    let Some(folder) = env::var_os("COUNTERSIGN_SEEDS").map(PathBuf::from) else { return };
    fs::create_dir_all(&folder).expect("the folder for seeds can be made");
    for (number, seed) in (TARGET.seeds)().into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed).expect("seeds can be written");
    }
}
