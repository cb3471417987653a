//! Prints a generated program and some of its records: `show SEED NUMBER [MINOR]`, as in a report.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example")]

use streamalert_difftest::{Generator, Rng};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let (seed, number) = (arguments.next().unwrap(), arguments.next().unwrap());
    let minor = arguments.next().unwrap_or(8) as u8;
    let seed = Rng::part(seed, number).next();
    let program = Generator::new(minor).unwrap().program(seed);
    println!("{}", program.source);
    for record in program.records(seed, 3) {
        println!("# {record}");
    }
}
