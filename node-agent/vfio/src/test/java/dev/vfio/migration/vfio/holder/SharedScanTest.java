package dev.vfio.migration.vfio.holder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.device.DeviceException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a listing reads of the machine's open descriptors does not grow with its devices. Counted in
 * looks at all of them, of which each reads one link for each, and not in time.
 */
@Timeout(120)
class SharedScanTest {
  private static final int DEVICES = 128;

  @TempDir Path folder;
  private StandInNode node;
  private final AtomicLong now = new AtomicLong();
  private Holders holders;

  @BeforeEach
  void make() throws IOException {
    node = new StandInNode(folder);
    holders = node.timedHolders(now::get);
    node.start(
        "i=0; while [ $i -lt 200 ]; do i=$((i+1)); sleep 300 & done; echo ready; exec sleep 300");
  }

  @AfterEach
  void end() throws InterruptedException {
    node.close();
  }

  private long looksBy(Callable<?> work) throws Exception {
    long before = holders.looks();
    work.call();
    return holders.looks() - before;
  }

  private Object list(Holders by, int devices) throws Exception {
    holders.listingBegins();
    for (int device = 0; device < devices; device++) {
      by.of(node.device()).ifPresent(holder -> assertThat(holder.process()).isPositive());
    }
    return null;
  }

  @Test
  void oneLookServesForAllDevicesOfAListing() throws Exception {
    assertThat(looksBy(() -> list(holders.forListing(), 1))).isEqualTo(1);
    assertThat(looksBy(() -> list(holders.forListing(), DEVICES))).isEqualTo(1);
  }

  @Test
  void severalListingsAtOnceShareLooks() throws Exception {
    holders.listingBegins();
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      long looked =
          looksBy(
              () -> {
                List<Future<?>> looks = new ArrayList<>();
                for (int look = 0; look < DEVICES; look++) {
                  looks.add(threads.submit(() -> holders.forListing().of(node.device())));
                }
                for (Future<?> look : looks) {
                  look.get(60, TimeUnit.SECONDS);
                }
                return null;
              });
      assertThat(looked).isEqualTo(1);
    } finally {
      threads.shutdownNow();
      assertThat(threads.awaitTermination(20, TimeUnit.SECONDS)).isTrue();
    }
  }

  /** Else what keeps one from looking would cost a look for each device. */
  @Test
  void aLookThatFailedHasFailedForAllDevicesOfAListing() throws Exception {
    Holders blind =
        new Holders(
            new Processes(folder.resolve("no-proc")),
            folder.resolve("sys"),
            Holders.DEVICE_LINK,
            device -> Optional.empty(),
            cgroup -> cgroup,
            now::get);
    blind.listingBegins();
    for (int device = 0; device < DEVICES; device++) {
      assertThatThrownBy(() -> blind.forListing().of(node.device()))
          .isInstanceOf(DeviceException.class);
    }
    assertThat(blind.looks()).isEqualTo(1);
    blind.listingBegins();
    assertThatThrownBy(() -> blind.forListing().of(node.device()))
        .isInstanceOf(DeviceException.class);
    assertThat(blind.looks()).isEqualTo(2);
  }

  @Test
  void aListingSeesWhatWasThereWhenItBegan() throws Exception {
    holders.listingBegins();
    assertThat(holders.forListing().of(node.device())).isEmpty();
    StandInNode.Child child = node.startHolder();
    assertThat(holders.forListing().of(node.device())).as("as it was found").isEmpty();
    now.addAndGet(DescriptorScans.SHARED_FOR.toNanos() + 1);
    assertThat(holders.forListing().of(node.device())).as("too long ago").isPresent();
    holders.listingBegins();
    assertThat(holders.forListing().of(node.device()).orElseThrow().process())
        .isEqualTo(child.pid());
    child.kill();
    holders.listingBegins();
    assertThat(holders.forListing().of(node.device())).isEmpty();
  }

  /** Whoever decides by it does not get what was found for a listing. */
  @Test
  void whoAsksForOneDeviceLooksAnew() throws Exception {
    holders.listingBegins();
    assertThat(holders.forListing().of(node.device())).isEmpty();
    StandInNode.Child child = node.startHolder();
    Holder holder = holders.of(node.device()).orElseThrow();
    assertThat(holder.process()).isEqualTo(child.pid());
    holders.listingBegins();
    Holder listed = holders.forListing().of(node.device()).orElseThrow();
    holders.forListing().adopt(listed).close();
    child.kill();
    assertThat(holders.of(node.device())).isEmpty();
  }

  /** A look at a held device asks who holds it, and adopts what they hold. */
  @Test
  void oneLookServesForAllThatOneLookAsks() throws Exception {
    StandInNode.Child child = node.startHolder();
    Holders look = holders.forOneLook();
    Holder holder = look.of(node.device()).orElseThrow();
    look.adopt(holder).close();
    assertThat(look.of(node.device()).orElseThrow().process()).isEqualTo(child.pid());
    assertThat(look.looks()).isEqualTo(1);
    child.kill();
    assertThat(holders.forOneLook().of(node.device())).isEmpty();
  }

  /** What is known of the kernel's word on a descriptor is read of VFIO's alone. */
  @Test
  void moreThanALinkIsReadOfVfiosDescriptorsOnly() throws Exception {
    node.startHolder();
    DescriptorTable table =
        DescriptorTable.ofAll(
            holders.processes(), folder.resolve("sys"), node.deviceFile().toString());
    assertThat(table.linksRead()).isGreaterThan(600);
    assertThat(table.factsRead()).isBetween(2L, 20L);
  }
}
