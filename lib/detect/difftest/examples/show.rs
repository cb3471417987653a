//! Prints a generated program and some of its records: `show SEED`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example")]
fn main() {
    let seed: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let minor: u8 = std::env::args().nth(2).map_or(8, |text| text.parse().unwrap());
    let program = streamalert_difftest::Generator::new(minor).unwrap().program(seed);
    println!("{}", program.source);
    for record in program.records(seed, 3) {
        println!("# {record}");
    }
}
