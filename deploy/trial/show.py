"""What the quickstart prints: requests that go through, who is let in and who is not, what it cost."""

import collections
import json
import os
import re
import shlex
import subprocess

from parts import HOST, Trouble, end_with_us
from realm import ACCOUNTS, CALLERS, SPN, STRANGER, ask, cache, client_env, curl_words, principal
from stage import CLOUD_MS, NODES, get

SECONDS = 10
HELP_PAGE = "/_wmcs/certification/servercertification.asmx"
BREAKS = {"authd": "the process that proves who callers are, under load",
          "list": "a caller is taken from the list while its connection is open",
          "node1": "a whole node", "cloud": "the cloud is gone", "throttle": "the cloud asks to slow down"}


def auth_words(folder):
    """rms-load as the callers of the list, each kind with its own ticket."""
    return ["--auth", "negotiate", "--spn", SPN, *(word for role, account in CALLERS.items()
                                                   for word in ("--credentials", f"{role}={cache(folder, account)}"))]


def start_load(programs, folder, out, *arguments):
    command = [programs / "rms-load", *arguments, *auth_words(folder), "--json", out]
    return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, **client_env(folder, CALLERS["exchange"])}, stdin=subprocess.DEVNULL, preexec_fn=end_with_us)


def finish_load(process, out):
    said, _ = process.communicate(timeout=120)
    if not out.exists():
        raise Trouble(f"rms-load ended with {process.returncode}:\n{said[-2000:]}")
    result = json.loads(out.read_text())
    out.unlink()
    return result


def run_load(stage, *arguments):
    out = stage.folder / "load.json"
    return finish_load(start_load(stage.programs, stage.folder, out, *arguments), out)


# ---- figures of the nodes ----

def samples(port):
    """{(metric, labels): value} of the node with this statistics port."""
    status, text = get(port, "/metrics", 5)
    if status != 200:
        raise Trouble(f"a node does not show its statistics at port {port}: {text}")
    found = {}
    for line in text.splitlines():
        if line and line[0] != "#":
            series, value = line.rsplit(" ", 1)
            metric, _, labels = series.partition("{")
            found[metric, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))] = float(value)
    return found


def percentile(buckets, share):
    """Of a histogram as Prometheus has it: {upper edge: how many at or below}."""
    edges = sorted(buckets)
    wanted, below, low = buckets[edges[-1]] * share, 0.0, 0.0
    for edge in edges:
        if buckets[edge] >= wanted and buckets[edge] > below:
            return low if edge == float("inf") else low + (edge - low) * (wanted - below) / (buckets[edge] - below)
        below, low = buckets[edge], edge
    return low


def time_of(all_samples, metric):
    buckets, total, count = collections.Counter(), 0.0, 0.0
    for (name, labels), value in all_samples:
        if ("effect", "ok") not in labels:
            continue
        if name == f"rms_connector_{metric}_seconds_bucket":
            buckets[float(dict(labels)["le"])] += value
        total += value if name == f"rms_connector_{metric}_seconds_sum" else 0
        count += value if name == f"rms_connector_{metric}_seconds_count" else 0
    if not count:
        return "nothing measured"
    return f"mean {total / count * 1000:7.3f} ms, p50 {percentile(buckets, 0.5) * 1000:7.3f} ms, p99 {percentile(buckets, 0.99) * 1000:7.3f} ms"


def total(all_samples, metric, **wanted):
    return int(sum(value for (name, labels), value in all_samples
                   if name == f"rms_connector_{metric}_total" and set(wanted.items()) <= set(labels)))


def count_requests(all_samples):
    effects = collections.Counter()
    for (name, labels), value in all_samples:
        labels = dict(labels)
        if name == "rms_connector_requests_total" and labels["operation"] != "none":
            effects[labels["effect"]] += int(value)
    return effects


# ---- one part after the other ----

def show_cast(stage):
    print(f"A Kerberos realm of its own at {HOST}:{stage.realm.port}, the cloud stand-in at https://{HOST}:{stage.cloud_port},\nnodes at "
          + " and ".join(f"http://{HOST}:{stage.ports[name]['http']}" for name in NODES) + f", both with the key of {SPN}.")
    print("\nWho calls, each with a ticket of that realm, and what the list of authorized servers has for it:")
    roles = {account: role for role, account in CALLERS.items()}
    for account in ACCOUNTS:
        print(f"  {principal(account):<26} {roles.get(account, '(not on the list)')}")


def show_bootstrap(result):
    for one in result["bootstrap"]:
        good = "every answer right" if one["good"] else "WRONG"
        print(f"  {one['url']}: {len(one['steps'])} calls, {one['signatures']} signatures checked, {good}")
        for step in one["steps"]:
            if step["problem"]:
                print(f"      {step['call']}: {step['problem']}")


def show_load(stage, rate, begun):
    urls = {scheme: [f"{scheme}://{HOST}:{stage.ports[name][scheme]}" for name in NODES] for scheme in ("http", "https")}
    ca = stage.folder / "ca.pem"
    print(f"\nThe calls of a server's start, over HTTPS ({begun:.1f} s after the programs were there):")
    results = [run_load(stage, *urls["https"], "--ca", ca, "--bootstrap", "--op", "GetServerInfo", "--requests", 20, "--verify", "100%")]
    show_bootstrap(results[0])
    print(f"\n{SECONDS} s of mixed load, {rate} requests/s, alternating between the nodes ...", flush=True)
    results.append(run_load(stage, *urls["http"], "--profile", "mixed", "--rate", rate, "--duration", SECONDS, "--verify", "5%"))
    load = results[1]
    print("  by caller")
    for role, operations in load["callers"].items():
        print(f"    {principal(CALLERS[role]):<26} {sum(row['requests'] for row in operations.values()):>6} requests, "
              f"{sum(row['errors'] for row in operations.values())} failed")
    print("  by node")
    for name, row in zip(NODES, load["nodes"]):
        print(f"    {name:<26} {row['requests']:>6} requests, {row['errors']} failed   {row['url']}")
    all_samples = [item for name in NODES for item in samples(stage.ports[name]["stats"]).items()]
    effects = count_requests(all_samples)
    wrong = sum(result["verified"]["wrong"] + result["authentication"]["services_wrong"] + sum(one["wrong"] for one in result["bootstrap"])
                for result in results)
    signatures = sum(result["verified"]["signatures"] + sum(one["signatures"] for one in result["bootstrap"]) for result in results)
    failed = sum(result["total"]["errors"] for result in results) + effects["deferred"] + effects["final"] + wrong
    failed += sum(not one["good"] for result in results for one in result["bootstrap"])
    print(f"  failures       {failed}")
    print(f"  tickets        {total(all_samples, 'authentications', result='accepted')} accepted")
    print(f"  signatures     {signatures} checked, {wrong} wrong")
    print(f"  time added     {time_of(all_samples, 'processing_time')}   (by the node, tickets included)")
    print(f"  time waited    {time_of(all_samples, 'service_time')}   (for the cloud stand-in, which takes {CLOUD_MS} ms)")
    return effects["ok"], failed


def explain_words(folder, account, name="node1"):
    return ["rms-connectorctl", "--socket", f"{folder}/{name}.admin", "explain", principal(account)]


def explain(programs, folder, account):
    """Runs the command and shows it with what it says."""
    words = explain_words(folder, account)
    print(f"  $ {shlex.join(words)}")
    done = subprocess.run([str(programs / words[0]), *words[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=30)
    for line in done.stdout.rstrip().splitlines():
        print(f"    {line}".rstrip())


def show_refusal(stage):
    print(f"\nA caller that is not on the list, with a good ticket ({principal(STRANGER)}, by curl --negotiate):")
    status, words = ask(stage.folder, stage.ports["node1"]["http"], STRANGER)
    print(f"  {words}")
    if status != 403:
        raise Trouble(f"{principal(STRANGER)} should have been refused with 403")
    print("Why, asked of the node:")
    explain(stage.programs, stage.folder, STRANGER)


def check_help_page(stage):
    page = get(stage.ports["node1"]["http"], HELP_PAGE)
    if page[0] != 200 or "ServerCertificationWebService" not in page[1]:
        raise Trouble(f"the help page is not there: {page}")


def show_addresses(stage):
    print("\nLook at")
    for name in NODES:
        ports = stage.ports[name]
        print(f"  {name}: http://{HOST}:{ports['stats']}/   (its state, for people; /stats and /metrics are for programs)")
        print(f"         http://{HOST}:{ports['http']}{HELP_PAGE}   (the page that administrators know)")
        print(f"         {stage.folder}/{name}.requests.jsonl   (a line for each request)")
    print(f"  the list of authorized servers: {stage.folder}/list.json")


def show_next(stage):
    print("\nTry next, in another terminal, in this directory")
    for name, words in BREAKS.items():
        print(f"  deploy/quickstart break {name:<9} {words}")
    first = stage.ports["node1"]
    print(f"or be {principal(CALLERS['exchange'])} there")
    print(f"  . {stage.folder}/env")
    print(f"  {shlex.join(curl_words(stage.folder, first['http'], '-i'))}")
    print(f"  rms-load http://{HOST}:{first['http']} --auth negotiate --spn {SPN} --profile exchange --rate 100 --duration 10")
    print(f"  {shlex.join(explain_words(stage.folder, CALLERS['exchange']))}")


def show_caveat():
    print("\nThis was a simulator, not Azure: no tenant was asked, and nothing here shows that a tenant would accept these requests. The tickets are real,")
    print("but the realm has no directory, so no groups: docs/trial-ad.md has the same with your own Active Directory.")
