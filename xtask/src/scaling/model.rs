use std::collections::BTreeMap;

/// Bytes of a gigabyte as AWS bills it.
const GB: f64 = 1e9;
const TB: f64 = 1e12;
const SECS_PER_HOUR: f64 = 3_600.0;

/// What is measured, assumed, limited and paid, by section and key.
pub(super) struct Figures(BTreeMap<String, BTreeMap<String, f64>>);

impl Figures {
    /// Reads `docs/scaling.toml`.
    ///
    /// # Errors
    /// Where it is not what it should be.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("scaling.toml: {error}\n"))?;
        let mut sections = BTreeMap::new();
        for (name, section) in &table {
            let section = section
                .as_table()
                .ok_or_else(|| format!("scaling.toml: {name}: not a section\n"))?;
            let mut values = BTreeMap::new();
            for (key, value) in section {
                let number = value
                    .as_float()
                    .or_else(|| value.as_integer().map(|whole| whole as f64));
                let number = number.ok_or_else(|| format!("scaling.toml: {name}.{key}: not a number\n"))?;
                values.insert(key.clone(), number);
            }
            sections.insert(name.clone(), values);
        }
        let figures = Self(sections);
        let missing = KEYS
            .iter()
            .find(|(section, key)| figures.find(section, key).is_none());
        match missing {
            Some((section, key)) => Err(format!("scaling.toml: {section}.{key} is missing\n")),
            None => Ok(figures),
        }
    }

    fn find(&self, section: &str, key: &str) -> Option<f64> {
        self.0.get(section)?.get(key).copied()
    }

    fn measured(&self, key: &'static str) -> f64 {
        self.known("measured", key)
    }

    pub(super) fn assumed(&self, key: &'static str) -> f64 {
        self.known("assumed", key)
    }

    fn limit(&self, key: &'static str) -> f64 {
        self.known("limits", key)
    }

    fn price(&self, key: &'static str) -> f64 {
        self.known("prices", key)
    }

    fn known(&self, section: &'static str, key: &'static str) -> f64 {
        self.find(section, key)
            .expect("a key that is used is among those whose absence is an error")
    }
}

/// Every key that is used.
const KEYS: [(&str, &str); 43] = [
    ("measured", "record_bytes"),
    ("measured", "classifier_us"),
    ("measured", "rules_node_us"),
    ("measured", "gzip_us"),
    ("measured", "streamalert_classifier_us"),
    ("measured", "streamalert_rules_us"),
    ("assumed", "compressed"),
    ("assumed", "records_per_message"),
    ("assumed", "object_bytes"),
    ("assumed", "busy"),
    ("assumed", "shard_busy"),
    ("assumed", "merger_us"),
    ("assumed", "dispatcher_us"),
    ("assumed", "alert_bytes"),
    ("assumed", "alert_write_units"),
    ("assumed", "alert_read_units"),
    ("assumed", "alert_outputs"),
    ("assumed", "node_vcpus"),
    ("assumed", "gb_per_vcpu"),
    ("assumed", "merger_shards"),
    ("assumed", "dispatcher_slots"),
    ("assumed", "lease_secs"),
    ("assumed", "lease_bytes"),
    ("assumed", "zones"),
    ("assumed", "lambda_busy"),
    ("assumed", "lambda_gb"),
    ("limits", "kinesis_shard_bytes_per_s"),
    ("limits", "kinesis_shard_records_per_s"),
    ("limits", "kinesis_payload_unit_bytes"),
    ("limits", "dynamodb_partition_write_units_per_s"),
    ("limits", "sqs_chunk_bytes"),
    ("prices", "vcpu_hour"),
    ("prices", "gb_hour"),
    ("prices", "kinesis_shard_hour"),
    ("prices", "kinesis_million_payload_units"),
    ("prices", "kinesis_on_demand_gb_in"),
    ("prices", "kinesis_on_demand_gb_out"),
    ("prices", "dynamodb_million_write_units"),
    ("prices", "dynamodb_million_read_units"),
    ("prices", "s3_thousand_gets"),
    ("prices", "sqs_million_requests"),
    ("prices", "between_zones_gb"),
    ("prices", "lambda_gb_second"),
];

/// How logs arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A Kinesis record a log record, as text.
    KinesisText,
    /// Many compressed log records in a Kinesis record.
    KinesisGzip,
    /// Compressed objects, told of by a queue.
    S3,
}

/// What is to be carried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Terabytes (10^12) of uncompressed logs an hour.
    pub(super) tb_per_hour: f64,
    pub(super) arrival: Arrival,
    /// Of so many records one raises an alert.
    pub(super) records_per_alert: f64,
}

/// vCPUs that compute, without headroom, and nodes with it, of each service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Service {
    pub(super) vcpus: f64,
    pub(super) nodes: f64,
}

/// What it takes.
pub(super) struct Plan {
    pub(super) records_per_s: f64,
    pub(super) alerts_per_s: f64,
    pub(super) shards: f64,
    pub(super) classifier: Service,
    pub(super) rules_node: Service,
    pub(super) merger: Service,
    pub(super) dispatcher: Service,
    pub(super) write_units_per_s: f64,
    pub(super) read_units_per_s: f64,
    /// Of these, for leases and not for alerts.
    pub(super) lease_units_per_s: f64,
    /// Write units that all shards of the merger can take, by the limit of a partition.
    pub(super) write_units_per_s_max: f64,
    /// Bytes from classifiers to rules-nodes.
    pub(super) link_bytes_per_s: f64,
}

/// Dollars a terabyte.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    pub(super) arrival: f64,
    pub(super) computing: f64,
    pub(super) state: f64,
    /// What leaves a zone, if rules-nodes are chosen without regard to it.
    pub(super) between_zones: f64,
}

impl Cost {
    /// With rules-nodes of the classifier's own zone.
    pub(super) fn in_zone(self) -> f64 {
        self.arrival + self.computing + self.state
    }
}

impl Figures {
    pub(super) fn plan(&self, load: Load) -> Plan {
        let bytes_per_s = load.tb_per_hour * TB / SECS_PER_HOUR;
        let records_per_s = bytes_per_s / self.measured("record_bytes");
        let alerts_per_s = records_per_s / load.records_per_alert;
        let unpacking = if load.arrival == Arrival::KinesisText {
            0.0
        } else {
            self.measured("gzip_us")
        };
        let classifier = self.service(records_per_s, self.measured("classifier_us") + unpacking);
        let rules_node = self.service(records_per_s, self.measured("rules_node_us"));
        let merger = self.service(alerts_per_s, self.assumed("merger_us"));
        let deliveries = alerts_per_s * self.assumed("alert_outputs");
        let dispatcher = self.service(deliveries, self.assumed("dispatcher_us"));
        let shards = self.shards(load.arrival, bytes_per_s, records_per_s);
        let term = self.assumed("lease_secs");
        let leases = shards + self.assumed("merger_shards") + self.assumed("dispatcher_slots");
        // Each is renewed every third of a term; every node that holds or follows leases lists them every sixth. A
        // listing reads 4 KB a unit, strongly consistent.
        let renewals = leases / (term / 3.0);
        let listing = (leases * self.assumed("lease_bytes") / 4_096.0).ceil() / (term / 6.0);
        let nodes = classifier.nodes + rules_node.nodes + merger.nodes + dispatcher.nodes;
        Plan {
            records_per_s,
            alerts_per_s,
            shards,
            classifier,
            rules_node,
            merger,
            dispatcher,
            write_units_per_s: alerts_per_s * self.assumed("alert_write_units") + renewals,
            read_units_per_s: alerts_per_s * self.assumed("alert_read_units") + listing * nodes,
            lease_units_per_s: renewals,
            write_units_per_s_max: self.assumed("merger_shards")
                * self.limit("dynamodb_partition_write_units_per_s"),
            link_bytes_per_s: bytes_per_s,
        }
    }

    /// At least two nodes, or one that dies is an outage.
    fn service(&self, per_s: f64, us: f64) -> Service {
        let vcpus = per_s * us / 1e6;
        let nodes = (vcpus / self.assumed("busy") / self.assumed("node_vcpus")).ceil();
        Service {
            vcpus,
            nodes: nodes.max(2.0),
        }
    }

    fn shards(&self, arrival: Arrival, bytes_per_s: f64, records_per_s: f64) -> f64 {
        let (bytes, messages) = match arrival {
            Arrival::KinesisText => (bytes_per_s, records_per_s),
            Arrival::KinesisGzip => (
                bytes_per_s * self.assumed("compressed"),
                records_per_s / self.assumed("records_per_message"),
            ),
            Arrival::S3 => return 0.0,
        };
        let by_bytes = bytes / self.limit("kinesis_shard_bytes_per_s");
        let by_messages = messages / self.limit("kinesis_shard_records_per_s");
        (by_bytes.max(by_messages) / self.assumed("shard_busy")).ceil()
    }

    pub(super) fn cost(&self, load: Load) -> Cost {
        let plan = self.plan(load);
        let nodes = plan.classifier.nodes + plan.rules_node.nodes + plan.merger.nodes + plan.dispatcher.nodes;
        let vcpu = self.price("vcpu_hour") + self.assumed("gb_per_vcpu") * self.price("gb_hour");
        let computing = nodes * self.assumed("node_vcpus") * vcpu;
        let state = SECS_PER_HOUR / 1e6
            * (plan.write_units_per_s * self.price("dynamodb_million_write_units")
                + plan.read_units_per_s * self.price("dynamodb_million_read_units"));
        let leaving = 1.0 - 1.0 / self.assumed("zones");
        let between_zones =
            plan.link_bytes_per_s * SECS_PER_HOUR / GB * leaving * self.price("between_zones_gb");
        Cost {
            arrival: self.arrival_cost(load, &plan) / load.tb_per_hour,
            computing: computing / load.tb_per_hour,
            state: state / load.tb_per_hour,
            between_zones: between_zones / load.tb_per_hour,
        }
    }

    /// Dollars an hour. Storing objects is not part of it: that is paid without us, too.
    fn arrival_cost(&self, load: Load, plan: &Plan) -> f64 {
        let bytes = load.tb_per_hour * TB;
        let records = plan.records_per_s * SECS_PER_HOUR;
        let (message_bytes, messages) = match load.arrival {
            Arrival::KinesisText => (self.measured("record_bytes"), records),
            Arrival::KinesisGzip => {
                let packed = self.assumed("records_per_message");
                (
                    self.measured("record_bytes") * packed * self.assumed("compressed"),
                    records / packed,
                )
            }
            Arrival::S3 => {
                let objects = bytes / self.assumed("object_bytes");
                // A message is sent, received and deleted, ten at a time but for the sending.
                let requests = objects * 1.2;
                return objects / 1e3 * self.price("s3_thousand_gets")
                    + requests / 1e6 * self.price("sqs_million_requests");
            }
        };
        let units = (message_bytes / self.limit("kinesis_payload_unit_bytes")).ceil() * messages;
        plan.shards * self.price("kinesis_shard_hour")
            + units / 1e6 * self.price("kinesis_million_payload_units")
    }

    /// Dollars a terabyte for Kinesis on demand instead of provisioned shards. Records count by whole KB.
    pub(super) fn on_demand(&self, arrival: Arrival) -> f64 {
        let record = self.measured("record_bytes");
        let packed = self.assumed("records_per_message");
        let billed_per_record = match arrival {
            Arrival::KinesisText => (record / 1_024.0).ceil() * 1_024.0,
            Arrival::KinesisGzip => {
                (record * packed * self.assumed("compressed") / 1_024.0).ceil() * 1_024.0 / packed
            }
            Arrival::S3 => return 0.0,
        };
        let gb = TB / record * billed_per_record / GB;
        gb * (self.price("kinesis_on_demand_gb_in") + self.price("kinesis_on_demand_gb_out"))
    }

    /// What StreamAlert's Lambdas and the queue between them cost a terabyte, at least: its merger, its tables and
    /// what feeds it are left out.
    pub(super) fn streamalert(&self) -> [f64; 3] {
        let records = TB / self.measured("record_bytes");
        let second = self.assumed("lambda_gb") * self.price("lambda_gb_second") / self.assumed("lambda_busy");
        let lambda = |us: f64| records * us / 1e6 * second;
        // Compressed, in base64, billed by chunks when it is sent and when it is received.
        let chunks = TB * self.assumed("compressed") * 4.0 / 3.0 / self.limit("sqs_chunk_bytes");
        let queue = chunks * 2.0 / 1e6 * self.price("sqs_million_requests");
        [
            lambda(self.measured("streamalert_classifier_us")),
            lambda(self.measured("streamalert_rules_us")),
            queue,
        ]
    }

    /// The same record in StreamAlert's Lambdas, in a vCPU's microseconds, and in ours.
    pub(super) fn record_us(&self) -> (f64, f64) {
        (
            self.measured("streamalert_classifier_us") + self.measured("streamalert_rules_us"),
            self.measured("classifier_us") + self.measured("rules_node_us"),
        )
    }
}
