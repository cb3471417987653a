use std::collections::BTreeMap;

use super::super::corpus::{Dice, people};

/// Calls that change something worth watching. Most occur seldom or never in a corpus, as in life.
const CALLS: &[&str] = &[
    "AcceptHandshake",
    "AddClientIDToOpenIDConnectProvider",
    "AddRoleToInstanceProfile",
    "AddUserToGroup",
    "AssociateIamInstanceProfile",
    "AttachGroupPolicy",
    "AttachRolePolicy",
    "AttachUserPolicy",
    "AttachVolume",
    "AuthorizeDBSecurityGroupIngress",
    "AuthorizeSecurityGroupEgress",
    "AuthorizeSecurityGroupIngress",
    "BatchDeleteImage",
    "CancelKeyDeletion",
    "ChangeResourceRecordSets",
    "CopyDBSnapshot",
    "CopyImage",
    "CopySnapshot",
    "CreateAccessKey",
    "CreateAccountAlias",
    "CreateClientVpnEndpoint",
    "CreateDBSnapshot",
    "CreateExportTask",
    "CreateFunction20150331",
    "CreateGroup",
    "CreateImage",
    "CreateInstanceExportTask",
    "CreateInstanceProfile",
    "CreateKeyPair",
    "CreateLoginProfile",
    "CreateNetworkAclEntry",
    "CreateOpenIDConnectProvider",
    "CreatePolicyVersion",
    "CreateRole",
    "CreateSAMLProvider",
    "CreateServiceSpecificCredential",
    "CreateSnapshot",
    "CreateTrafficMirrorSession",
    "CreateUser",
    "CreateVirtualMFADevice",
    "CreateVpcPeeringConnection",
    "DeactivateMFADevice",
    "DeleteAccountPasswordPolicy",
    "DeleteAlarms",
    "DeleteBucketEncryption",
    "DeleteBucketPolicy",
    "DeleteConfigRule",
    "DeleteDBCluster",
    "DeleteDBInstance",
    "DeleteDetector",
    "DeleteEventBus",
    "DeleteFlowLogs",
    "DeleteGroupPolicy",
    "DeleteHostedZone",
    "DeleteIdentity",
    "DeleteLogGroup",
    "DeleteMembers",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DeleteRule",
    "DeleteSAMLProvider",
    "DeleteTrail",
    "DeleteUserPermissionsBoundary",
    "DeleteVirtualMFADevice",
    "DeleteWebACL",
    "DetachRolePolicy",
    "DisableAlarmActions",
    "DisableDomainTransferLock",
    "DisableEbsEncryptionByDefault",
    "DisableKey",
    "DisableRegion",
    "DisableSecurityHub",
    "DisassociateFromMasterAccount",
    "EnableRegion",
    "EnableSerialConsoleAccess",
    "GetFederationToken",
    "ImportKeyPair",
    "InviteAccountToOrganization",
    "LeaveOrganization",
    "ModifyDBSnapshotAttribute",
    "ModifyImageAttribute",
    "ModifyInstanceAttribute",
    "ModifySnapshotAttribute",
    "PutBucketAcl",
    "PutBucketPolicy",
    "PutBucketReplication",
    "PutBucketVersioning",
    "PutGroupPolicy",
    "PutImage",
    "PutKeyPolicy",
    "PutResourcePolicy",
    "PutRolePolicy",
    "PutUserPolicy",
    "RegisterTaskDefinition",
    "RemoveTargets",
    "ReplaceIamInstanceProfileAssociation",
    "RevokeSecurityGroupEgress",
    "ScheduleKeyDeletion",
    "SendSSHPublicKey",
    "SetDefaultPolicyVersion",
    "StopLogging",
    "TransferDomainToAnotherAwsAccount",
    "UpdateAccessKey",
    "UpdateAccountPasswordPolicy",
    "UpdateAssumeRolePolicy",
    "UpdateDetector",
    "UpdateFunctionCode20150331v2",
    "UpdateFunctionConfiguration20150331v2",
    "UpdateIPSet",
    "UpdateLoginProfile",
    "UpdateSAMLProvider",
    "UpdateTrail",
    "UploadSSHPublicKey",
];

const SERVICES: &[&str] = &[
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "config",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "eks",
    "elasticache",
    "events",
    "guardduty",
    "iam",
    "kms",
    "lambda",
    "logs",
    "macie2",
    "organizations",
    "rds",
    "redshift",
    "route53",
    "s3",
    "sagemaker",
    "secretsmanager",
    "securityhub",
    "ses",
    "sns",
    "sqs",
    "ssm",
    "sts",
    "wafv2",
];

const PARAMETERS: &[&str] = &[
    "bucketName",
    "clusterName",
    "dBInstanceIdentifier",
    "functionName",
    "groupId",
    "groupName",
    "instanceId",
    "keyId",
    "name",
    "policyArn",
    "policyName",
    "repositoryName",
    "roleArn",
    "roleName",
    "secretId",
    "tableName",
    "userName",
];

const ERRORS: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "Client.UnauthorizedOperation",
    "Client.Blocked",
    "DryRunOperation",
    "InvalidClientTokenId",
    "KMSInvalidStateException",
    "LimitExceededException",
    "OptInRequired",
    "SignatureDoesNotMatch",
];

const TOOLS: &[&str] = &[
    "cloudgoat",
    "cloudmapper",
    "cloudsploit",
    "enumerate-iam",
    "gobuster",
    "kali",
    "mimikatz",
    "nmap",
    "pacu",
    "parrot",
    "pentoo",
    "prowler",
    "psexec",
    "responder",
    "rubeus",
    "s3scanner",
    "scoutsuite",
    "sharphound",
    "sqlmap",
    "steampipe",
    "stratus-red-team-console",
    "trufflehog",
    "weirdaal",
    "xmrig",
];

const VERBS: &[&str] = &[
    "Create",
    "Delete",
    "Put",
    "Update",
    "Attach",
    "Detach",
    "Modify",
    "Disable",
    "Stop",
    "Terminate",
];
const NOUNS: &[&str] = &[
    "Alarm",
    "Certificate",
    "Detector",
    "Endpoint",
    "Gateway",
    "Grant",
    "Group",
    "Layer",
    "Profile",
    "Replica",
    "Rule",
    "Trail",
];
const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-northeast-3",
    "ca-west-1",
    "eu-south-2",
    "me-central-1",
    "sa-east-1",
];
const PLACES: &[&str] = &[
    "audit", "backup", "billing", "board", "customer", "hr", "ledger", "legal", "payroll", "vault",
];

/// The values of one rule: each placeholder stands for the same value wherever it occurs in it.
#[derive(Default)]
pub(super) struct Values {
    chosen: BTreeMap<String, String>,
}

impl Values {
    /// A Python literal in the place of `__PLACEHOLDER__`.
    pub(super) fn get(&mut self, placeholder: &str, dice: &mut Dice) -> &str {
        self.chosen
            .entry(placeholder.to_owned())
            .or_insert_with(|| draw(placeholder, dice))
    }
}

fn draw(placeholder: &str, dice: &mut Dice) -> String {
    match placeholder {
        "EVENT" => quoted(pick(CALLS, dice)),
        "EVENTS" => set(several(dice, 3, 4, |dice| pick(CALLS, dice).to_owned())),
        "SERVICE" => quoted(&service(dice)),
        "SERVICES" => set(several(dice, 2, 3, service)),
        "REGION" => quoted(pick(REGIONS, dice)),
        "USERS" => set(several(dice, 4, 5, people::user)),
        "NETWORKS" => list(several(dice, 1, 3, network)),
        "PREFIX" => quoted(pick(VERBS, dice)),
        "PREFIXES" => list(several(dice, 2, 2, |dice| pick(VERBS, dice).to_owned())),
        "SUFFIX" => quoted(pick(NOUNS, dice)),
        "ERROR" => quoted(pick(ERRORS, dice)),
        "RESOURCE" => quoted(&resource(dice)),
        "RESOURCES" => set(several(dice, 3, 5, resource)),
        "PARAMETER" => quoted(pick(PARAMETERS, dice)),
        "TOOLS" => list(several(dice, 2, 3, |dice| pick(TOOLS, dice).to_owned())),
        "WILDCARD" => quoted(&format!("{}*{}*", pick(VERBS, dice), pick(NOUNS, dice))),
        "ARN" => quoted(&format!("arn:aws:*:{}*", pick(PLACES, dice))),
        "EXPRESSION" => format!(
            r"r'(?:user|role)/(?:{}|{})[-_]?\d{{2,4}}$'",
            pick(PLACES, dice),
            pick(TOOLS, dice)
        ),
        "ACCOUNT" => quoted(&people::account(dice)),
        "NUMBER" => format!("{}", 5_000_000 + dice.below(20) * 1_000_000),
        "PATH" => quoted(&format!("/tmp/*{}*.sh", pick(TOOLS, dice))),
        "PORT" => quoted(&format!("{}", 4_000 + dice.below(5_000))),
        // A template with a typing error shows itself when the rules are loaded.
        other => format!("UNKNOWN_{other}"),
    }
}

fn pick(of: &[&'static str], dice: &mut Dice) -> &'static str {
    dice.choose(of).copied().unwrap_or_default()
}

fn service(dice: &mut Dice) -> String {
    format!("{}.amazonaws.com", pick(SERVICES, dice))
}

fn resource(dice: &mut Dice) -> String {
    format!("{}-{}", pick(PLACES, dice), 100 + dice.below(900))
}

/// Of networks that events come from now and then, one in eight; the others are of lists that never match.
fn network(dice: &mut Dice) -> String {
    if dice.below(8) == 0 {
        format!("198.18.{}.0/24", dice.below(16))
    } else {
        format!("45.{}.{}.0/24", dice.below(256), dice.below(256))
    }
}

/// From `least` to `least + more` different values, sorted.
fn several(dice: &mut Dice, least: u64, more: u64, mut draw: impl FnMut(&mut Dice) -> String) -> Vec<String> {
    let count = least + dice.below(more + 1);
    let mut values: Vec<String> = (0..count).map(|_| draw(dice)).collect();
    values.sort();
    values.dedup();
    values
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

fn joined(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    quoted.join(", ")
}

fn set(values: Vec<String>) -> String {
    format!("{{{}}}", joined(&values))
}

fn list(values: Vec<String>) -> String {
    format!("[{}]", joined(&values))
}
