import pytest

from pannier.config import parse_config
from pannier.errors import UsageError
from pannier.link_config import (
    LARGEST_MTU_BYTES,
    LEAST_MTU_BYTES,
    LinkConfig,
    SerialLink,
    TcpLink,
    UdpLink,
    parse_address,
)
from transports.link.frame import MAX_FRAME_BYTES
from transports.link.settings import LEAST_FRAME_BYTES

SERIAL = 'kind = "serial"\npeer = "home"\n'
TCP = 'kind = "tcp"\npeer = "home"\n'
UDP = 'kind = "udp"\npeer = "home"\n'
ADDRESS = 'address = "h:1"\n'


def link(text: str) -> LinkConfig:
    return parse_config(f"[transport.x]\n{text}".encode(), "config.toml").links["x"]


def test_each_kind_has_its_own_settings_and_defaults() -> None:
    assert link(f'{SERIAL}path = "/dev/x"') == SerialLink(peer="home", path="/dev/x")
    assert link(f'{SERIAL}usb = "0403:6001:A-1"') == SerialLink(peer="home", usb="0403:6001:A-1")
    assert link(TCP + ADDRESS) == TcpLink(peer="home", address="h:1")
    assert link('kind = "tcp"\nlisten = "4000"') == TcpLink(listen="4000")
    assert link(f'{UDP}listen = "[::1]:4000"\nrate = 9\nduty = 1') == UdpLink(
        peer="home", listen="[::1]:4000", rate=9, duty=1.0
    )


def test_without_a_way_back_one_side_sends_and_the_others_listen() -> None:
    listening = link('kind = "udp"\nlisten = "4000"\noneway = true')
    assert (listening.listens, listening.audience) == (True, ())
    sending = link('kind = "udp"\naddress = "h:1"\noneway = true\npeers = ["home", "ranch"]')
    assert (sending.listens, sending.audience) == (False, ("home", "ranch"))
    line = link('kind = "serial"\npath = "/dev/x"\noneway = true')
    assert (line.listens, line.audience) == (True, ())
    assert link(f'{SERIAL}path = "/dev/x"\noneway = true').audience == ("home",)
    assert not link(f'{SERIAL}path = "/dev/x"').listens
    assert link('kind = "tcp"\nlisten = "4000"').listens


def test_a_line_carries_what_its_settings_leave() -> None:
    assert SerialLink(baud=9600).bytes_per_second == 960
    assert SerialLink(baud=9600, parity="even").bytes_per_second == 872
    assert SerialLink(baud=9600, stop_bits=2, rate=500).bytes_per_second == 500
    assert SerialLink(baud=9600, rate=5000).bytes_per_second == 960
    assert UdpLink().bytes_per_second == 0


def test_xon_and_xoff_are_escaped_where_they_mean_something() -> None:
    assert SerialLink().framing_name == "cobs"
    assert SerialLink(xonxoff=True).framing_name == "cobs-xonxoff"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('kind = "serial"\npath = "/dev/x"', "peer must be"),
        (SERIAL, "say either path"),
        (f'{SERIAL}path = "/dev/x"\nusb = "0403:6001"', "say either path"),
        (f'{SERIAL}path = "ttyUSB0"', "whole path"),
        (f'{SERIAL}usb = "403:6001"', "usb must be"),
        (f'{SERIAL}path = "/dev/x"\nbaud = 0', "baud must be"),
        (f'{SERIAL}path = "/dev/x"\nbaud = "fast"', "baud is int"),
        (f'{SERIAL}path = "/dev/x"\nparity = "some"', "parity must be"),
        (f'{SERIAL}path = "/dev/x"\nstop_bits = 3', "stop_bits must be"),
        (f'{SERIAL}path = "/dev/x"\nframing = "slip"', "framing must be"),
        (f'{SERIAL}path = "/dev/x"\nframing = "kiss"\nxonxoff = true', "xonxoff needs"),
        (f'{SERIAL}path = "/dev/x"\nmtu = 63', "mtu must be"),
        (f'{SERIAL}path = "/dev/x"\nlisten = "1"', "unknown setting 'listen'"),
        (TCP, "say either address"),
        (f'{TCP}{ADDRESS}listen = "4000"', "say either address"),
        (f'{TCP}address = "4000"', "no HOST:PORT"),
        (f'{TCP}address = "::1:4000"', "brackets"),
        (f'{TCP}address = "h:0"', "a port is"),
        (f'{TCP}listen = "x:"', "a port is"),
        (f'{TCP}listen = ":4000"', "no HOST:PORT"),
        (f'{TCP}address = "h:99999"', "a port is"),
        (f'kind = "tcp"\n{ADDRESS}', "peer must be"),
        (f'{TCP}{ADDRESS}certificate = "/x.pem"', "needs tls"),
        (f'{TCP}{ADDRESS}tls = true\nown_certificate = "x.pem"', "whole path"),
        (f"{TCP}{ADDRESS}half_duplex = true\nrate = 9", "half_duplex is for"),
        (f"{TCP}{ADDRESS}rate = -1", "rate must be"),
        (f"{TCP}{ADDRESS}duty = 2.8", "duty needs rate"),
        (f"{TCP}{ADDRESS}duty = 101\nrate = 9", "duty must be"),
        (f"{TCP}{ADDRESS}duty = nan\nrate = 9", "duty must be"),
        (f"{UDP}{ADDRESS}half_duplex = true", "half_duplex needs rate"),
        (f"{UDP}{ADDRESS}mtu = 65001", "mtu must be"),
        (f"{UDP}{ADDRESS}tls = true", "unknown setting 'tls'"),
        ('kind = "udp"\nlisten = "4000"', "peer must be"),
        (f"{TCP}{ADDRESS}oneway = true", "oneway is for serial and udp"),
        (f"{UDP}{ADDRESS}rounds = 3", "are for links with oneway"),
        (f'{UDP}{ADDRESS}peers = ["a"]', "are for links with oneway"),
        (f'{UDP}{ADDRESS}oneway = true\npeers = ["a"]', "peer, or peers"),
        (f"{UDP}{ADDRESS}oneway = true\nrounds = -1", "rounds must be"),
        (f"{UDP}{ADDRESS}oneway = true\noverhead = 1001", "overhead must be"),
        (f"{UDP}{ADDRESS}oneway = true\nhalf_duplex = true\nrate = 9", "oneway or half_duplex"),
        (f'{UDP}listen = "4000"\noneway = true', "one way, say address and peers, or listen"),
        ('kind = "udp"\naddress = "h:1"\noneway = true', "one way, say address and peers"),
        ('kind = "pigeon"', "kind must be one of directory, mounts, serial, tcp, udp"),
    ],
)
def test_what_cannot_work_is_said_in_a_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as raised:
        link(text)
    assert str(raised.value).startswith("config.toml: [transport.x]")
    assert "\n" not in str(raised.value)


def test_frames_are_as_long_as_links_can_have_them() -> None:
    assert (LEAST_MTU_BYTES, LARGEST_MTU_BYTES) == (LEAST_FRAME_BYTES, MAX_FRAME_BYTES)


def test_addresses_are_names_or_numbers_of_both_kinds() -> None:
    assert parse_address("home.example:4000") == ("home.example", 4000)
    assert parse_address("[2001:db8::1]:4000") == ("2001:db8::1", 4000)
    assert parse_address("4000", is_ours=True) == ("", 4000)
