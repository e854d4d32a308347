package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.session.LiveSession;
import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.WorkloadState;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceHolder;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a node's devices look like to the operator. */
class InventoryTest {
  private static final String ID = "0000:65:00.1";
  private static final Duration MAX_LOOK = Duration.ofSeconds(40);
  private static final NodeDevice PLACE =
      new NodeDevice(
          ID,
          Path.of("/sys/devices/pci0000:64/0000:65:00.1"),
          "mlx5_vfio_pci",
          "",
          ID,
          "15b3:101e 15b3:0008",
          41,
          "vfio3",
          1,
          "");
  private static final DeviceDescription DESCRIPTION =
      new DeviceDescription(
          ID,
          dev.vfio.migration.vfio.device.MigrationInterface.FEATURE_V2,
          "15b3:101e 15b3:0008",
          0,
          true,
          true,
          4096,
          new DriverProfile(
              "mlx5_vfio_pci", "", Set.of(MigrationFlag.STOP_COPY, MigrationFlag.P2P), ""));
  private static final DeviceHolder POD =
      new DeviceHolder(4711, "dpdk-app", "/kubepods/pod1/c2", false, 1000);

  private static DeviceDirectory directoryOf(DeviceDirectory.Entry entry) {
    return new DeviceDirectory() {
      @Override
      public List<String> ids() {
        return List.of(entry.id());
      }

      @Override
      public Optional<Entry> look(String id, boolean named) {
        return Optional.of(entry).filter(known -> known.id().equals(id));
      }

      @Override
      public MigratableDevice open(String id) {
        throw new AssertionError("whoever lists devices opened " + id);
      }
    };
  }

  private final List<Inventory> inventories = new ArrayList<>();

  @AfterEach
  void close() {
    inventories.forEach(Inventory::close);
  }

  private Inventory inventory(
      DeviceDirectory devices, Workloads workloads, Function<String, LiveSession> sessions) {
    Inventory inventory =
        new Inventory(
            devices, (limit, awaited) -> workloads, sessions, this::windowProblem, MAX_LOOK);
    inventories.add(inventory);
    return inventory;
  }

  /** As an agent does that moves one page with a device. */
  private String windowProblem(List<DmaWindow> windows, int pageSize) {
    return windows.stream().mapToLong(DmaWindow::size).sum() > pageSize
        ? "more than one page"
        : null;
  }

  private static List<Device> listed(Inventory inventory, String id) {
    return inventory.list(id).orTimeout(40, TimeUnit.SECONDS).join();
  }

  private Device list(
      DeviceDirectory.Entry entry, Workloads workloads, Function<String, LiveSession> sessions) {
    List<Device> listed = listed(inventory(directoryOf(entry), workloads, sessions), "");
    assertThat(listed).hasSize(1);
    return listed.get(0);
  }

  private Device list(DeviceDirectory.Entry entry, Workloads workloads) {
    return list(entry, workloads, id -> null);
  }

  /** A workload that describes itself and is asked for nothing else. */
  private record Describing(WorkloadDescription description) implements Workload {
    static Workloads in(dev.vfio.migration.vfio.workload.WorkloadState state) {
      return id -> new Describing(new WorkloadDescription("w", state, id, List.of()));
    }

    static Workloads none(String why) {
      return id -> {
        throw new WorkloadException(0, why, null);
      };
    }

    @Override
    public WorkloadDescription describe() {
      return description;
    }

    @Override
    public void pause(String migration) {
      throw new AssertionError("paused by a listing");
    }

    @Override
    public void resume(String migration) {
      throw new AssertionError("resumed by a listing");
    }

    @Override
    public void take(String migration) {
      throw new AssertionError("handed over by a listing");
    }

    @Override
    public void release(String migration) {
      throw new AssertionError("released by a listing");
    }

    @Override
    public void close() {}
  }

  private static final Workloads RUNNING =
      Describing.in(dev.vfio.migration.vfio.workload.WorkloadState.RUNNING);

  @Test
  void a_device_that_a_workload_uses_is_listed_with_place_driver_and_holder() {
    Device device =
        list(
            new DeviceDirectory.Entry(ID, DESCRIPTION, DeviceState.RUNNING, null, PLACE, POD, true),
            RUNNING);
    assertThat(device.getPlace().getPciAddress()).isEqualTo(ID);
    assertThat(device.getPlace().getPciIds()).isEqualTo("15b3:101e 15b3:0008");
    assertThat(device.getPlace().getIommuGroup()).isEqualTo(41);
    assertThat(device.getPlace().getCharacterDevice()).isEqualTo("vfio3");
    assertThat(device.getPlace().getNumaNode()).isEqualTo(1);
    assertThat(device.getDriverProfile().getDriver()).isEqualTo("mlx5_vfio_pci");
    assertThat(device.getDriverProfile().getFlagsList()).containsExactly("STOP_COPY", "P2P");
    assertThat(device.getHolder().getPid()).isEqualTo(4711);
    assertThat(device.getHolder().getCommand()).isEqualTo("dpdk-app");
    assertThat(device.getHolder().getCgroup()).isEqualTo("/kubepods/pod1/c2");
    assertThat(device.getHolder().getUser()).isEqualTo(1000);
    assertThat(device.getBusy()).isTrue();
    assertThat(device.getInterface()).isEqualTo(MigrationInterface.FEATURE_V2);
    assertThat(device.getWorkloadState()).isEqualTo(WorkloadState.WORKLOAD_RUNNING);
    assertThat(device.hasNotMigratable()).isFalse();
  }

  @Test
  void a_device_that_cannot_migrate_is_listed_with_its_place_and_the_reason() {
    Device device =
        list(
            new DeviceDirectory.Entry(
                ID,
                null,
                null,
                new DeviceException(
                    DeviceException.Kind.NOT_MIGRATABLE, 25, "vfio-pci has no migration support"),
                PLACE,
                null,
                false),
            Describing.none("must not be asked"));
    assertThat(device.getNotMigratable().getReason()).isEqualTo(Reason.NO_MIGRATION_REGION);
    assertThat(device.getNotMigratable().getMessage())
        .isEqualTo("vfio-pci has no migration support");
    assertThat(device.getNotMigratable().getErrno()).isEqualTo(25);
    assertThat(device.getPlace().getIommuGroup()).isEqualTo(41);
    assertThat(device.getDriverProfile().getDriver())
        .as("known from sysfs alone")
        .isEqualTo("mlx5_vfio_pci");
    assertThat(device.getBusy()).isFalse();
    assertThat(device.hasHolder()).isFalse();
  }

  @Test
  void a_device_of_a_virtual_machine_is_refused_and_its_monitor_is_named() {
    DeviceHolder monitor =
        new DeviceHolder(99, "qemu-system-x86_64", "/machine.slice/vm1", true, 107);
    Device device =
        list(
            new DeviceDirectory.Entry(
                ID, DESCRIPTION, DeviceState.RUNNING, null, PLACE, monitor, true),
            Describing.none("must not be asked"));
    assertThat(device.getNotMigratable().getReason()).isEqualTo(Reason.DEVICE_BUSY);
    assertThat(device.getNotMigratable().getMessage())
        .contains("qemu-system-x86_64 (process 99, cgroup /machine.slice/vm1)")
        .contains("Migrate the virtual machine with its own means");
    assertThat(device.getHolder().getVirtualMachineMonitor()).isTrue();
    assertThat(device.getInterface()).isEqualTo(MigrationInterface.FEATURE_V2);
  }

  @Test
  void a_free_device_that_nobody_waits_for_says_what_is_missing() {
    Device device =
        list(
            new DeviceDirectory.Entry(ID, DESCRIPTION, null, null, PLACE, null, false),
            Describing.none("nobody waits at /run/x; start the waiting workload"));
    assertThat(device.getBusy()).isFalse();
    assertThat(device.getNotMigratable().getReason()).isEqualTo(Reason.WORKLOAD_UNREACHABLE);
    assertThat(device.getNotMigratable().getMessage())
        .isEqualTo("no workload uses it: nobody waits at /run/x; start the waiting workload");
  }

  private static final List<DeviceState> LEFT_OVER =
      List.of(
          DeviceState.SETUP,
          DeviceState.PRECOPY,
          DeviceState.STOPNCOPY,
          DeviceState.SAVE_COMPLETED,
          DeviceState.RESUME,
          DeviceState.RESUME_COMPLETED,
          DeviceState.FAILED,
          DeviceState.CANCELLED);

  @Test
  void whatAMigrationLeftInAFreeDeviceIsToBeResetFirst() {
    for (DeviceState left : LEFT_OVER) {
      for (Workloads free :
          List.of(
              Describing.none("nobody waits"),
              Describing.in(dev.vfio.migration.vfio.workload.WorkloadState.WAITING),
              Describing.in(dev.vfio.migration.vfio.workload.WorkloadState.RELEASED))) {
        Device pci =
            list(new DeviceDirectory.Entry(ID, DESCRIPTION, left, null, PLACE, null, false), free);
        assertThat(pci.getNotMigratable().getReason()).isEqualTo(Reason.DEVICE_NOT_RESET);
        assertThat(pci.getNotMigratable().getMessage())
            .contains("is in " + left, "Reset it first")
            .contains("echo 1 > /sys/bus/pci/devices/0000:65:00.1/reset");
        Device served =
            list(new DeviceDirectory.Entry("vfio-user:gpu-0", DESCRIPTION, left, null), free);
        assertThat(served.getNotMigratable().getReason()).isEqualTo(Reason.DEVICE_NOT_RESET);
        assertThat(served.getNotMigratable().getMessage()).contains("restart its server");
      }
    }
  }

  /** What is in it may be all that is left of a paused workload. */
  @Test
  void nobodyIsAdvisedToResetADeviceThatIsInUse() {
    for (DeviceState state : LEFT_OVER) {
      for (var workload :
          List.of(
              dev.vfio.migration.vfio.workload.WorkloadState.RUNNING,
              dev.vfio.migration.vfio.workload.WorkloadState.PAUSED)) {
        for (DeviceDirectory.Entry entry :
            List.of(
                new DeviceDirectory.Entry(ID, DESCRIPTION, state, null, PLACE, POD, true),
                new DeviceDirectory.Entry("vfio-user:gpu-0", DESCRIPTION, state, null))) {
          Device device = list(entry, Describing.in(workload));
          assertThat(device.getNotMigratable().getReason()).isEqualTo(Reason.DEVICE_BUSY);
          assertThat(device.getNotMigratable().getMessage()).contains("do not reset it");
        }
      }
    }
  }

  @Test
  void aDeviceThatRunsOrNeverRanOrIsMigratedHoldsNothingThatWasLeft() {
    for (DeviceState state : new DeviceState[] {DeviceState.NONE, DeviceState.RUNNING, null}) {
      assertThat(
              list(
                      new DeviceDirectory.Entry(ID, DESCRIPTION, state, null, PLACE, POD, true),
                      RUNNING)
                  .hasNotMigratable())
          .isFalse();
    }
    LiveSession session = new Claim(new SessionKey("move", 1), DESCRIPTION);
    assertThat(
            list(
                    new DeviceDirectory.Entry(
                        ID, DESCRIPTION, DeviceState.STOPNCOPY, null, PLACE, POD, true),
                    RUNNING,
                    id -> session)
                .hasNotMigratable())
        .isFalse();
  }

  @Test
  void a_claimed_device_is_what_its_session_says_and_busy() {
    SessionKey key = new SessionKey("move", 1);
    LiveSession session = new Claim(key, DESCRIPTION);
    Device device =
        list(
            new DeviceDirectory.Entry(
                ID,
                null,
                null,
                new DeviceException(DeviceException.Kind.BUSY, 16, "open by this agent"),
                PLACE,
                null,
                false),
            RUNNING,
            id -> id.equals(ID) ? session : null);
    assertThat(device.getClaimedBy()).isEqualTo("move/1");
    assertThat(device.getState()).isEqualTo(dev.vfio.migration.contract.v1.DeviceState.PRECOPY);
    assertThat(device.getBusy()).isTrue();
    assertThat(device.hasNotMigratable()).isFalse();
    assertThat(device.getModel()).isEqualTo("15b3:101e 15b3:0008");
  }

  @Test
  void a_device_that_its_workload_uses_is_busy_whoever_serves_it() {
    DeviceDirectory.Entry served =
        new DeviceDirectory.Entry("vfio-user:gpu-0", DESCRIPTION, DeviceState.RUNNING, null);
    assertThat(list(served, RUNNING).getBusy()).isTrue();
    assertThat(
            list(served, Describing.in(dev.vfio.migration.vfio.workload.WorkloadState.WAITING))
                .getBusy())
        .isFalse();
  }

  @Test
  void who_asks_while_all_devices_are_looked_at_gets_what_that_look_finds() throws Exception {
    CountDownLatch looking = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    AtomicInteger looks = new AtomicInteger();
    DeviceDirectory slow =
        new DeviceDirectory() {
          @Override
          public List<String> ids() {
            return List.of(ID);
          }

          @Override
          public Optional<Entry> look(String id, boolean named) {
            looks.incrementAndGet();
            looking.countDown();
            try {
              assertThat(goOn.await(40, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException interrupted) {
              throw new AssertionError(interrupted);
            }
            return Optional.of(
                new Entry(ID, DESCRIPTION, DeviceState.RUNNING, null, PLACE, POD, true));
          }

          @Override
          public MigratableDevice open(String id) {
            throw new AssertionError("whoever lists devices opened " + id);
          }
        };
    Inventory inventory = inventory(slow, RUNNING, id -> null);
    try {
      CompletableFuture<List<Device>> first = inventory.list("");
      assertThat(looking.await(40, TimeUnit.SECONDS)).isTrue();
      CompletableFuture<List<Device>> second = inventory.list("");
      goOn.countDown();
      assertThat(second.get(40, TimeUnit.SECONDS)).isEqualTo(first.get(40, TimeUnit.SECONDS));
      assertThat(looks).hasValue(1);
      assertThat(listed(inventory, "")).hasSize(1);
      assertThat(looks).as("the next look is a new one").hasValue(2);
    } finally {
      goOn.countDown();
    }
  }

  @Test
  void a_look_that_fails_is_not_the_last() {
    AtomicInteger looks = new AtomicInteger();
    DeviceDirectory failing =
        new DeviceDirectory() {
          @Override
          public List<String> ids() {
            if (looks.incrementAndGet() == 1) {
              throw new UncheckedIOException(new IOException("cannot read /sys"));
            }
            return List.of();
          }

          @Override
          public Optional<Entry> look(String id, boolean named) {
            return Optional.empty();
          }

          @Override
          public MigratableDevice open(String id) {
            throw new AssertionError("whoever lists devices opened " + id);
          }
        };
    Inventory inventory = inventory(failing, RUNNING, id -> null);
    assertThatThrownBy(() -> listed(inventory, "")).hasStackTraceContaining("cannot read /sys");
    assertThat(listed(inventory, "")).isEmpty();
  }

  @Test
  void a_listing_of_all_devices_leaves_the_workload_of_a_migration_alone() {
    LiveSession session = new Claim(new SessionKey("move", 1), DESCRIPTION);
    DeviceDirectory.Entry entry =
        new DeviceDirectory.Entry(ID, DESCRIPTION, null, null, PLACE, POD, true);
    Workloads untouched =
        id -> {
          throw new AssertionError("the workload was asked while its migration goes on");
        };
    Inventory inventory = inventory(directoryOf(entry), untouched, id -> session);
    assertThat(listed(inventory, "")).hasSize(1);
    assertThat(listed(inventory(directoryOf(entry), RUNNING, id -> session), ID))
        .extracting(Device::getWorkloadState)
        .containsExactly(WorkloadState.WORKLOAD_RUNNING);
  }

  @Test
  void a_device_without_a_place_in_sysfs_has_neither_place_nor_driver() {
    String socket = "vfio-user:gpu-0";
    Device device =
        list(
            new DeviceDirectory.Entry(
                socket,
                new DeviceDescription(
                    socket,
                    dev.vfio.migration.vfio.device.MigrationInterface.REGION_2018,
                    "m",
                    4096,
                    true,
                    true,
                    4096),
                DeviceState.RUNNING,
                null),
            Describing.none("connection refused"));
    assertThat(device.hasPlace()).isFalse();
    assertThat(device.getBusy()).isFalse();
    assertThat(device.hasDriverProfile()).isFalse();
    assertThat(device.hasHolder()).isFalse();
    assertThat(device.getNotMigratable().getMessage())
        .startsWith("the workload of vfio-user:gpu-0 does not say which memory");
  }

  /** A session that has claimed the device, in PRECOPY. */
  private record Claim(SessionKey key, DeviceDescription device) implements LiveSession {
    @Override
    public Role role() {
      return Role.SOURCE;
    }

    @Override
    public SessionSnapshot snapshot() {
      return new SessionSnapshot(
          key,
          "default/move",
          SessionState.SOURCE_PRECOPY,
          device.id(),
          DeviceState.PRECOPY,
          Progress.NONE,
          null,
          false,
          false);
    }

    @Override
    public CompletableFuture<SessionSnapshot> rollBack(boolean cancelled, String reason) {
      throw new AssertionError("rolled back by a listing");
    }

    @Override
    public void recover() {
      throw new AssertionError("recovered by a listing");
    }

    @Override
    public void stop() {
      throw new AssertionError("stopped by a listing");
    }

    @Override
    public boolean settled() {
      return false;
    }
  }

  /** Found out while nothing was prepared, and not by the source once its destination was. */
  @Test
  void windowsThatThisAgentCannotMoveAreSaidWithTheDevice() {
    DeviceDirectory.Entry entry =
        new DeviceDirectory.Entry(ID, DESCRIPTION, DeviceState.RUNNING, null, PLACE, POD, true);
    Function<Long, Device> listed =
        size ->
            list(
                entry,
                id ->
                    new Describing(
                        new WorkloadDescription(
                            "w",
                            dev.vfio.migration.vfio.workload.WorkloadState.RUNNING,
                            id,
                            List.of(new DmaWindow("ring", 0, size, Path.of("/ring"))))));
    assertThat(listed.apply(4096L).hasNotMigratable()).isFalse();
    Device tooMuch = listed.apply(8192L);
    assertThat(tooMuch.getNotMigratable().getReason()).isEqualTo(Reason.MEMORY_UNREACHABLE);
    assertThat(tooMuch.getNotMigratable().getMessage()).contains("more than one page");
    assertThat(tooMuch.getDmaWindowsCount()).isEqualTo(1);
  }
}
