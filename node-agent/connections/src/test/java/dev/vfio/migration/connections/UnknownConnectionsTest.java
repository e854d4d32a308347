package dev.vfio.migration.connections;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Who must go for whom. */
class UnknownConnectionsTest {
  private final UnknownConnections<String> connections = new UnknownConnections<>(6, 3);

  private static AddressBlock block(String address) {
    try {
      return AddressBlock.of(InetAddress.getByName(address));
    } catch (UnknownHostException impossible) {
      throw new IllegalArgumentException(impossible);
    }
  }

  private String add(String name, String address) {
    return connections.add(name, block(address));
  }

  @Test
  void whereThereIsRoomNobodyGoes() {
    assertThat(add("a", "10.0.0.1")).isNull();
    assertThat(add("b", "10.0.0.1")).isNull();
    assertThat(add("c", "10.0.0.1")).isNull();
    assertThat(connections.size()).isEqualTo(3);
  }

  @Test
  void oneAddressPushesOutOnlyItsOwn() {
    add("victim", "10.0.0.2");
    for (String name : List.of("a", "b", "c")) {
      add(name, "10.0.0.1");
    }
    assertThat(add("d", "10.0.0.1")).isEqualTo("a");
    assertThat(add("e", "10.0.0.1")).isEqualTo("b");
    assertThat(connections.remove("victim")).isTrue();
  }

  @Test
  void manyAddressesPushOutTheOldestOfTheOneThatHasMost() {
    for (String name : List.of("a", "b", "c")) {
      add(name, "10.0.0.1");
    }
    add("d", "10.0.0.2");
    add("e", "10.0.0.3");
    add("f", "10.0.0.4");
    assertThat(add("g", "10.0.0.5")).isEqualTo("a");
    assertThat(add("h", "10.0.0.6")).isEqualTo("b");
    assertThat(add("i", "10.0.0.7")).as("all have one each: the oldest of them").isEqualTo("d");
  }

  @Test
  void whoLeftIsNotPushedOut() {
    for (String name : List.of("a", "b", "c")) {
      add(name, "10.0.0.1");
    }
    assertThat(connections.remove("a")).isTrue();
    assertThat(connections.remove("a")).isFalse();
    assertThat(add("d", "10.0.0.1")).isNull();
    assertThat(add("e", "10.0.0.1")).isEqualTo("b");
  }

  @Test
  void anIpv6NetworkIsOneCallerAndAnIpv4AddressIsOne() {
    assertThat(block("2001:db8::1")).isEqualTo(block("2001:db8::ffff:1"));
    assertThat(block("2001:db8::1")).isNotEqualTo(block("2001:db8:0:1::1"));
    assertThat(block("10.0.0.1")).isNotEqualTo(block("10.0.0.2"));
    assertThat(block("::ffff:10.0.0.1")).isEqualTo(block("10.0.0.1"));
    assertThat(block("::")).isNotEqualTo(block("0.0.0.0"));
    assertThat(AddressBlock.of((java.net.SocketAddress) null).bytes()).isZero();
  }

  @Test
  void theBoundsHoldWhateverComes() {
    Random random = new Random(7);
    List<String> held = new ArrayList<>();
    for (int step = 0; step < 20_000; step++) {
      if (random.nextInt(3) > 0 || held.isEmpty()) {
        String name = "c" + step;
        String gone = add(name, "10.0.0." + random.nextInt(9));
        assertThat(gone).isNotEqualTo(name);
        held.add(name);
        held.remove(gone);
      } else {
        assertThat(connections.remove(held.remove(random.nextInt(held.size())))).isTrue();
      }
      assertThat(connections.size()).isEqualTo(held.size()).isLessThanOrEqualTo(6);
    }
  }
}
