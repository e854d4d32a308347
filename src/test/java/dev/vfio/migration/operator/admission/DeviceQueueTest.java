package dev.vfio.migration.operator.admission;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.fake.FakeApiServer;
import dev.vfio.migration.operator.fake.Specs;
import dev.vfio.migration.sandbox.generators.Seeds;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class DeviceQueueTest {

  @Test
  void theEarlierGoesFirstAndTheLaterSaysForWhomItWaits() {
    FakeApiServer api = new FakeApiServer();
    DeviceMigration first = api.create("z-first", Specs.live());
    DeviceMigration second = api.create("a-second", Specs.live());
    assertThat(DeviceQueue.predecessor(first, api.all(), Set.of())).isEmpty();
    assertThat(DeviceQueue.predecessor(second, api.all(), Set.of()))
        .map(Predecessor::qualifiedName)
        .contains("default/z-first");
  }

  @Test
  void whoeverRunsGoesFirstWhateverItsAge() {
    FakeApiServer api = new FakeApiServer();
    DeviceMigration older = api.create("older", Specs.live());
    DeviceMigration running = api.create("running", Specs.live());
    Optional<Predecessor> predecessor =
        DeviceQueue.predecessor(older, api.all(), Set.of(running.getMetadata().getUid()));
    assertThat(predecessor).map(Predecessor::qualifiedName).contains("default/running");
  }

  @Test
  void exchangedDevicesDoNotDeadlock() {
    FakeApiServer api = new FakeApiServer();
    DeviceMigration there = api.create("there", Specs.between("node-a", "node-b"));
    DeviceMigration back = api.create("back", Specs.between("node-b", "node-a"));
    assertThat(DeviceQueue.predecessor(there, api.all(), Set.of())).isEmpty();
    assertThat(DeviceQueue.predecessor(back, api.all(), Set.of())).isPresent();
  }

  @Test
  void someoneMayAlwaysGoAndNoDeviceIsUsedTwice() {
    Seeds.check(200, values -> someoneMayGo(values.list(1, 8, () -> values.integer(0, 11))));
  }

  private static void someoneMayGo(List<Integer> pairs) {
    FakeApiServer api = new FakeApiServer();
    for (int pair : pairs) {
      int source = pair / 3;
      int destination = (source + 1 + pair % 3) % 4;
      api.create("m" + api.all().size(), Specs.between("node-" + source, "node-" + destination));
    }
    Set<String> admitted = new HashSet<>();
    Set<String> used = new HashSet<>();
    Collection<DeviceMigration> all = api.all();
    for (DeviceMigration candidate : all) {
      if (DeviceQueue.predecessor(candidate, all, admitted).isEmpty()) {
        admitted.add(candidate.getMetadata().getUid());
        assertThat(used.add(candidate.getSpec().source().nodeName())).isTrue();
        assertThat(used.add(candidate.getSpec().destination().nodeName())).isTrue();
      }
    }
    assertThat(admitted).isNotEmpty();
  }
}
