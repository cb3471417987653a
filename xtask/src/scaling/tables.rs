use super::model::{Arrival, Figures, Load, Plan, Service};

/// Sizes that are planned, in terabytes an hour.
const SIZES: [f64; 2] = [1.0, 10.0];

/// How many records raise one alert: the plan's, and a worse one.
const USUAL: f64 = 100_000.0;
const MANY: f64 = 1_000.0;

const ARRIVALS: [Arrival; 3] = [Arrival::KinesisText, Arrival::KinesisGzip, Arrival::S3];

/// Every table, by name.
pub(super) fn all(figures: &Figures) -> Vec<(&'static str, String)> {
    vec![
        ("fleet", fleet(figures)),
        ("state", state(figures)),
        ("cost", cost(figures)),
        ("streamalert", streamalert(figures)),
    ]
}

const fn name(arrival: Arrival) -> &'static str {
    match arrival {
        Arrival::KinesisText => "Kinesis, text",
        Arrival::KinesisGzip => "Kinesis, gzip",
        Arrival::S3 => "S3, gzip",
    }
}

fn loads() -> impl Iterator<Item = Load> {
    SIZES.into_iter().flat_map(|tb_per_hour| {
        ARRIVALS.into_iter().map(move |arrival| Load {
            tb_per_hour,
            arrival,
            records_per_alert: USUAL,
        })
    })
}

fn row(to: &mut String, cells: &[String]) {
    *to += &format!("| {} |\n", cells.join(" | "));
}

fn head(titles: &[&str]) -> String {
    format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()))
}

fn fleet(figures: &Figures) -> String {
    let mut table = head(&[
        "TB/h, arriving by",
        "records/s",
        "shards",
        "classifiers",
        "rules-nodes",
        "mergers",
        "dispatchers",
        "vCPUs paid",
    ]);
    for load in loads() {
        let plan = figures.plan(load);
        let services = [plan.classifier, plan.rules_node, plan.merger, plan.dispatcher];
        let nodes: f64 = services.iter().map(|service| service.nodes).sum();
        let service = |service: &Service| format!("{} ({:.1})", service.nodes, service.vcpus);
        let mut cells = vec![
            format!("{}, {}", load.tb_per_hour, name(load.arrival)),
            grouped(plan.records_per_s),
            if plan.shards > 0.0 {
                grouped(plan.shards)
            } else {
                "–".to_owned()
            },
        ];
        cells.extend(services.iter().map(service));
        cells.push(grouped(nodes * figures.assumed("node_vcpus")));
        row(&mut table, &cells);
    }
    table
}

fn state(figures: &Figures) -> String {
    let mut table = head(&[
        "TB/h, an alert in",
        "alerts/s",
        "write units/s",
        "of these for leases",
        "of what partitions take",
        "read units/s",
    ]);
    for tb_per_hour in SIZES {
        for records_per_alert in [USUAL, MANY] {
            let arrival = Arrival::KinesisText;
            let Plan {
                alerts_per_s,
                write_units_per_s,
                lease_units_per_s,
                write_units_per_s_max,
                read_units_per_s,
                ..
            } = figures.plan(Load {
                tb_per_hour,
                arrival,
                records_per_alert,
            });
            row(
                &mut table,
                &[
                    format!("{tb_per_hour}, {}", grouped(records_per_alert)),
                    format!("{alerts_per_s:.1}"),
                    grouped(write_units_per_s),
                    grouped(lease_units_per_s),
                    format!(
                        "{:.2} %",
                        (write_units_per_s - lease_units_per_s) / write_units_per_s_max * 1e2
                    ),
                    grouped(read_units_per_s),
                ],
            );
        }
    }
    table
}

fn cost(figures: &Figures) -> String {
    let mut table = head(&[
        "TB/h, arriving by",
        "arrival",
        "(on demand)",
        "computing",
        "state",
        "together",
        "besides, with peers in all zones",
    ]);
    for load in loads() {
        let cost = figures.cost(load);
        let on_demand = figures.on_demand(load.arrival);
        let arrival = format!("{}, {}", load.tb_per_hour, name(load.arrival));
        let on_demand = if on_demand > 0.0 {
            format!("({})", dollars(on_demand))
        } else {
            "–".to_owned()
        };
        let mut cells = vec![arrival, dollars(cost.arrival), on_demand];
        cells.extend([cost.computing, cost.state, cost.in_zone(), cost.between_zones].map(dollars));
        row(&mut table, &cells);
    }
    table
}

fn streamalert(figures: &Figures) -> String {
    let [classifier, rules, queue] = figures.streamalert();
    let (theirs, ours) = figures.record_us();
    let text = Load {
        tb_per_hour: 1.0,
        arrival: Arrival::KinesisText,
        records_per_alert: USUAL,
    };
    let cost = figures.cost(text);
    let mut table = head(&[
        "",
        "classifying",
        "rules",
        "queue between",
        "together",
        "µs of a vCPU a record",
    ]);
    let own = [classifier, rules, queue, classifier + rules + queue].map(dollars);
    let mut cells = vec!["StreamAlert's Lambdas".to_owned()];
    cells.extend(own);
    cells.push(format!("{theirs:.1}"));
    row(&mut table, &cells);
    row(
        &mut table,
        &[
            "this program, computing and state at 1 TB/h".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            dollars(cost.computing + cost.state),
            format!("{ours:.1}"),
        ],
    );
    table
}

fn dollars(amount: f64) -> String {
    format!("${amount:.2}")
}

fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scaling.toml");
        Figures::read(&std::fs::read_to_string(file).unwrap()).unwrap()
    }

    #[test]
    fn ten_times_the_logs_take_ten_times_the_shards_and_cost_as_much_each() {
        let figures = figures();
        let of = |tb_per_hour, arrival| Load {
            tb_per_hour,
            arrival,
            records_per_alert: USUAL,
        };
        for arrival in ARRIVALS {
            let (one, ten) = (figures.plan(of(1.0, arrival)), figures.plan(of(10.0, arrival)));
            assert!((ten.shards - one.shards * 10.0).abs() <= 10.0);
            assert!((ten.classifier.vcpus / one.classifier.vcpus - 10.0).abs() < 1e-9);
            let (one, ten) = (figures.cost(of(1.0, arrival)), figures.cost(of(10.0, arrival)));
            assert!((ten.arrival / one.arrival - 1.0).abs() < 0.01);
            assert!(ten.computing <= one.computing);
        }
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        let Err(error) = Figures::read("[measured]\nrecord_bytes = 1\n") else {
            panic!("most keys are missing")
        };
        assert!(error.contains("measured.classifier_us is missing"), "{error}");
    }
}
