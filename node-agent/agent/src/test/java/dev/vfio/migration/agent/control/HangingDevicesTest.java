package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.linux.Errno;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Drivers that never answer, and from whose calls no thread can be taken back: what they cost, and
 * whom they keep waiting.
 */
@Timeout(120)
class HangingDevicesTest {
  private static final Duration TIME = Duration.ofMillis(500);
  private static final Duration BOUND = Duration.ofSeconds(60);

  private final Node node = new Node();
  private final Inventory inventory =
      new Inventory(
          node, (limit, awaited) -> id -> null, id -> null, (windows, pageSize) -> null, TIME);

  /** A node whose devices hang as long as the test wants. */
  private static final class Node implements DeviceDirectory {
    final Map<String, CountDownLatch> hanging = new ConcurrentHashMap<>();
    final Map<String, AtomicInteger> looks = new ConcurrentHashMap<>();
    final List<String> ids = new ArrayList<>();
    final Semaphore begun = new Semaphore(0);
    volatile CountDownLatch names = new CountDownLatch(0);

    @Override
    public List<String> ids() {
      await(names);
      return ids;
    }

    @Override
    public Optional<Entry> look(String id, boolean named) {
      looks.computeIfAbsent(id, unused -> new AtomicInteger()).incrementAndGet();
      begun.release();
      await(hanging.getOrDefault(id, new CountDownLatch(0)));
      return Optional.of(
          new Entry(
              id,
              null,
              null,
              new DeviceException(DeviceException.Kind.NOT_MIGRATABLE, 25, "it answered")));
    }

    private static void await(CountDownLatch latch) {
      try {
        assertThat(latch.await(100, TimeUnit.SECONDS)).isTrue();
      } catch (InterruptedException interrupted) {
        throw new AssertionError(interrupted);
      }
    }

    void hangs(String id) {
      hanging.put(id, new CountDownLatch(1));
    }

    void answers(String id) {
      hanging.remove(id).countDown();
    }

    int looks(String id) {
      return looks.getOrDefault(id, new AtomicInteger()).get();
    }

    @Override
    public MigratableDevice open(String id) {
      throw new AssertionError("whoever lists devices opened " + id);
    }
  }

  @AfterEach
  void close() {
    node.names.countDown();
    node.hanging.values().forEach(CountDownLatch::countDown);
    inventory.close();
  }

  private Map<String, Device> all() {
    Map<String, Device> devices = new TreeMap<>();
    for (Device device : listed("")) {
      devices.put(device.getId(), device);
    }
    return devices;
  }

  private List<Device> listed(String id) {
    return inventory.list(id).orTimeout(BOUND.toSeconds(), TimeUnit.SECONDS).join();
  }

  private static String words(Device device) {
    return device.getNotMigratable().getMessage();
  }

  private static void assertHangs(Device device) {
    assertThat(device.getNotMigratable().getReason())
        .isEqualTo(dev.vfio.migration.contract.v1.Reason.DEVICE_UNREACHABLE);
    assertThat(device.getNotMigratable().getErrno()).isEqualTo(Errno.ETIMEDOUT.number());
    assertThat(words(device))
        .startsWith("device " + device.getId() + " did not answer within 500 ms")
        .containsPattern("It has not answered in time since 20[0-9T:-]+Z")
        .contains("Nothing was done to the device");
  }

  private static void assertAnswers(Device device) {
    assertThat(words(device)).isEqualTo("it answered");
  }

  @Test
  void moreHangingDevicesThanAreLookedAtSideBySideHideNoOther() {
    IntStream.range(0, 40)
        .mapToObj(index -> "hangs-" + index)
        .forEach(
            id -> {
              node.ids.add(id);
              node.hangs(id);
            });
    node.ids.add("z-answers");
    await()
        .atMost(BOUND)
        .untilAsserted(
            () -> {
              Map<String, Device> all = all();
              assertAnswers(all.remove("z-answers"));
              assertThat(all).hasSize(40);
              all.values().forEach(HangingDevicesTest::assertHangs);
            });
  }

  @Test
  void aDeviceThatHangsIsLookedAtByOneThreadHoweverOftenItIsAskedFor() {
    node.ids.add("hangs");
    node.hangs("hangs");
    assertHangs(all().get("hangs"));
    String first = words(all().get("hangs"));
    for (int asked = 0; asked < 20; asked++) {
      assertHangs(listed("hangs").get(0));
      assertThat(words(all().get("hangs"))).as("the same words: nothing to write").isEqualTo(first);
    }
    assertThat(node.looks("hangs")).isEqualTo(1);
  }

  @Test
  void aDeviceThatAnswersAgainIsListedAsItIs() {
    node.ids.add("a");
    node.hangs("a");
    assertHangs(all().get("a"));
    node.answers("a");
    await().atMost(BOUND).untilAsserted(() -> assertAnswers(all().get("a")));
    assertAnswers(listed("a").get(0));
  }

  @Test
  void aListingHasWhatWasFoundLastUntilTheTimeOfTheNextLookIsOver() {
    node.ids.addAll(List.of("a", "b"));
    assertAnswers(all().get("a"));
    node.hangs("a");
    Map<String, Device> meanwhile = all();
    assertAnswers(meanwhile.get("a"));
    assertAnswers(meanwhile.get("b"));
    await().atMost(BOUND).untilAsserted(() -> assertHangs(all().get("a")));
    assertThat(node.looks("a")).isEqualTo(2);
    assertAnswers(all().get("b"));
  }

  /** It decides whether a migration begins. */
  @Test
  void whoAsksForADeviceByItsNameNeverGetsWhatWasFoundBefore() {
    node.ids.add("a");
    assertAnswers(listed("a").get(0));
    node.hangs("a");
    assertHangs(listed("a").get(0));
    node.answers("a");
    await().atMost(BOUND).untilAsserted(() -> assertAnswers(listed("a").get(0)));
  }

  @Test
  void whoAsksByNameWhileAllAreLookedAtGetsALookOfItsOwn() throws Exception {
    node.ids.add("a");
    node.hangs("a");
    CompletableFuture<List<Device>> all = inventory.list("");
    assertThat(node.begun.tryAcquire(BOUND.toSeconds(), TimeUnit.SECONDS)).isTrue();
    CompletableFuture<List<Device>> named = inventory.list("a");
    node.answers("a");
    assertAnswers(named.get(BOUND.toSeconds(), TimeUnit.SECONDS).get(0));
    assertAnswers(all.get(BOUND.toSeconds(), TimeUnit.SECONDS).get(0));
    assertThat(node.looks("a")).isEqualTo(2);
  }

  @Test
  void whereTooManyHangThereIsARefusalAndNoWaiting() {
    List<CompletableFuture<List<Device>>> asked = new ArrayList<>();
    for (int index = 0; index < 300; index++) {
      node.hangs("hangs-" + index);
      asked.add(inventory.list("hangs-" + index));
    }
    int refused = 0;
    for (CompletableFuture<List<Device>> answer : asked) {
      Throwable failure = catchThrowable(() -> answer.get(BOUND.toSeconds(), TimeUnit.SECONDS));
      if (failure == null) {
        assertThat(words(answer.join().get(0))).contains("Nothing was done");
      } else {
        assertThat(failure.getCause())
            .isInstanceOfSatisfying(
                Refusal.class,
                refusal -> assertThat(refusal.failure().reason()).isEqualTo(Reason.NO_CAPACITY));
        refused++;
      }
    }
    assertThat(refused).isPositive();
    assertThat(node.looks.size()).as("threads that hang").isLessThanOrEqualTo(8 + 64);
    node.ids.add("answers");
    assertAnswers(all().get("answers"));
  }

  @Test
  void namesThatCannotBeReadAreReadByOneThread() {
    node.names = new CountDownLatch(1);
    for (int asked = 0; asked < 5; asked++) {
      Throwable failure = catchThrowable(() -> listed(""));
      assertThat(failure).hasMessageContaining("could not be read within 500 ms");
    }
    assertThat(
            Thread.getAllStackTraces().entrySet().stream()
                .filter(entry -> entry.getKey().getName().startsWith("device-look-"))
                .filter(
                    entry ->
                        List.of(entry.getValue()).stream()
                            .anyMatch(frame -> frame.getMethodName().equals("ids"))))
        .hasSize(1);
    node.names.countDown();
    node.ids.add("a");
    await().atMost(BOUND).ignoreExceptions().untilAsserted(() -> assertAnswers(all().get("a")));
  }

  @Test
  void aFaultInALookIsReportedOfThatDeviceAlone() {
    DeviceDirectory faulty =
        new DeviceDirectory() {
          @Override
          public List<String> ids() {
            return List.of("bad", "good");
          }

          @Override
          public Optional<Entry> look(String id, boolean named) {
            if (id.equals("bad")) {
              throw new IllegalStateException("a fault");
            }
            return node.look(id, named);
          }

          @Override
          public MigratableDevice open(String id) {
            throw new AssertionError("whoever lists devices opened " + id);
          }
        };
    try (Inventory one =
        new Inventory(
            faulty,
            (limit, awaited) -> id -> null,
            id -> null,
            (windows, pageSize) -> null,
            TIME)) {
      List<Device> listed = one.list("").orTimeout(BOUND.toSeconds(), TimeUnit.SECONDS).join();
      assertThat(words(listed.get(0))).contains("a fault in the agent while it looked at");
      assertAnswers(listed.get(1));
    }
  }
}
