# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways round that iptables makes: by the tables before nf_tables, of which nothing is heard, and by nf_tables' own."""
from lab import SOON, wait_for
from town import Town, policy

FEW = ("a", "b", "out")


def can(lab, *words):
    """Does the rule stand? Not every kernel has every table and target."""
    done = lab.exec("gw", *words, check=False)
    if done.returncode:
        print(f"     not on this kernel: {' '.join(words)}: {done.stderr.strip()}")
    return done.returncode == 0


def told_while_it_stands(lab, segd, tool, table, chain, *rule, words):
    """An alert, once, and in status and verify as long as the rule is there."""
    before = len(segd.alerts("bypass"))
    if not can(lab, tool, "-t", table, "-A", chain, *rule):
        return
    assert wait_for(lambda: segd.segctl("status")["bypass"], SOON), f"nobody is told of {tool} {rule}"
    said = segd.segctl("status")["bypass"]
    assert len(said) == 1 and all(word in said[0] for word in words), said
    assert [f["detail"] for f in segd.segctl("verify", ok=(0, 1))["findings"] if f["kind"] == "bypass"] == said
    assert len(segd.alerts("bypass")) == before + 1, segd.alerts("bypass")[before:]
    lab.exec("gw", tool, "-t", table, "-F", chain)
    assert wait_for(lambda: not segd.segctl("status")["bypass"], SOON), segd.segctl("status")["bypass"]


def test_the_old_tables_are_read():
    with Town(policy(), FEW) as (lab, segd):
        for tool, table, chain, rule, words in (
                ("iptables-legacy", "nat", "PREROUTING",
                 "-d 203.0.113.9 -p udp -j DNAT --to-destination 10.2.0.20", ("ip nat (iptables-legacy)", "dnat")),
                ("iptables-legacy", "mangle", "FORWARD", "-p udp -j CONNMARK --set-mark 1", ("conntrack mark",)),
                ("iptables-legacy", "raw", "PREROUTING", "-s 10.1.0.20 -j CT --notrack", ("connection tracking",)),
                ("ip6tables-legacy", "mangle", "PREROUTING", "-j TEE --gateway 2001:db8:f::20",
                 ("ip6 mangle (ip6tables-legacy)", "copies")),
                ("ip6tables-legacy", "filter", "FORWARD", "-p udp -j NFQUEUE", ("program",))):
            told_while_it_stands(lab, segd, tool, table, chain, *rule.split(), words=words)


def test_a_legacy_rule_is_found_without_being_asked_for():
    """Nothing notifies: the look of every ten seconds finds it."""
    with Town(policy(), FEW) as (lab, segd):
        if can(lab, "iptables-legacy", "-t", "raw", "-A", "PREROUTING", "-s", "10.1.0.20", "-j", "CT", "--notrack"):
            line = segd.alert("bypass", seconds=13)
            assert line and "iptables-legacy" in line, line


def test_the_old_tables_may_filter():
    """What a gateway has of them today, and that somebody looked at them, is no way round."""
    with Town(policy(), FEW) as (lab, segd):
        for words in ("iptables-legacy -L", "ip6tables-legacy -t nat -L", "iptables-legacy -P FORWARD DROP",
                      "iptables-legacy -P FORWARD ACCEPT", "iptables-legacy -N f2b-sshd",
                      "iptables-legacy -A f2b-sshd -s 203.0.113.9 -j REJECT", "iptables-legacy -A f2b-sshd -j RETURN",
                      "iptables-legacy -I INPUT -p tcp --dport 22 -j f2b-sshd",
                      "iptables-legacy -t nat -A POSTROUTING -o out0 -j MASQUERADE",
                      "iptables-legacy -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"):
            can(lab, *words.split())
        assert segd.segctl("status")["bypass"] == [] and segd.segctl("verify", ok=(0, 1))["equal"]
        assert lab.probe("a", "10.2.0.20", "tcp/443") and not segd.alerts("bypass")


def test_iptables_rules_of_nf_tables():
    """The targets that rewrite as nft's own statements do."""
    with Town(policy(), FEW) as (lab, segd):
        for tool, table, chain, rule, words in (
                ("iptables-nft", "nat", "PREROUTING", "-d 203.0.113.0/24 -j NETMAP --to 10.2.0.0/24", ("dnat",)),
                ("iptables-nft", "raw", "PREROUTING", "-s 10.1.0.20 -j CT --ctevents destroy", ("events",)),
                ("iptables-nft", "raw", "PREROUTING", "-s 10.1.0.20 -j NOTRACK", ("connection tracking",)),
                ("iptables-nft", "filter", "FORWARD", "-p udp -j NFQUEUE --queue-num 3", ("program",)),
                ("ip6tables-nft", "mangle", "PREROUTING", "-d 2001:db8:f::/64 -j DNPT"
                 " --src-pfx 2001:db8:f::/64 --dst-pfx 2001:db8:2::/64", ("rewrites",))):
            told_while_it_stands(lab, segd, tool, table, chain, *rule.split(), words=words)
        can(lab, "iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-s", "10.1.0.0/24", "-j", "NETMAP", "--to",
            "10.9.0.0/24")
        assert segd.segctl("status")["bypass"] == []
