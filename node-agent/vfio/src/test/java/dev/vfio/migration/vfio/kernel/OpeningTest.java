package dev.vfio.migration.vfio.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.InterceptedCalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Opening a device step by step, with a model of VFIO behind the system calls. */
@Timeout(120)
class OpeningTest {
  private static final String ID = "0000:65:00.1";
  private static final String UNTOUCHED = "Nothing was done to the device.";

  @TempDir Path folder;
  private Path directory;
  private VfioModel model;

  @BeforeEach
  void nodes() throws IOException {
    directory = ModelNodes.in(folder);
    model = new VfioModel(directory, ID);
  }

  /** Opens it and closes it again, unless that fails; in both cases nothing is left open. */
  private DeviceException open(NodeChoice choice) throws Exception {
    DeviceException[] failure = new DeviceException[1];
    InterceptedCalls.run(
        model,
        () ->
            failure[0] =
                catchThrowableOfType(
                    DeviceException.class,
                    () ->
                        KernelAccess.open(ModelNodes.device(ID, folder), directory, choice)
                            .close()));
    assertThat(ModelNodes.left(folder)).as("left open").isEmpty();
    return failure[0];
  }

  private DeviceException refused(NodeChoice choice, String call, Errno errno) throws Exception {
    model.refusals.put(call, errno);
    DeviceException failure = open(choice);
    assertThat(failure).as("%s refuses %s", errno, call).isNotNull();
    assertThat(failure.errno()).isEqualTo(errno.number());
    assertThat(failure)
        .hasMessageStartingWith("device " + ID + " cannot be opened: ")
        .hasMessageContaining(Errno.describe(errno.number()));
    model.refusals.remove(call);
    return failure;
  }

  @Test
  void theGroupIsPreferredAndBringsItsContainer() throws Exception {
    InterceptedCalls.run(
        model,
        () -> {
          try (KernelAccess device =
              KernelAccess.open(ModelNodes.device(ID, folder), directory, NodeChoice.AUTO)) {
            assertThat(device.companions().keySet()).containsExactly("group", "container");
            assertThat(device.addressSpace()).isEmpty();
            assertThat(device.deviceInfo().regions()).isEqualTo(10);
            assertThat(ModelNodes.left(folder)).hasSize(3);
          }
        });
    assertThat(ModelNodes.left(folder)).isEmpty();
    assertThat(model.calls)
        .containsExactly(
            "open vfio/7",
            "ioctl 3b67",
            "open vfio/vfio",
            "ioctl 3b64",
            "ioctl 3b65",
            "ioctl 3b68",
            "ioctl 3b66",
            "ioctl 3b6a",
            "ioctl 3b6b");
  }

  @Test
  void withoutAGroupNodeTheCharacterDeviceIsAttachedToAnAddressSpace() throws Exception {
    Files.delete(directory.resolve("7"));
    InterceptedCalls.run(
        model,
        () -> {
          try (KernelAccess device =
              KernelAccess.open(ModelNodes.device(ID, folder), directory, NodeChoice.AUTO)) {
            assertThat(device.companions().keySet()).containsExactly("iommufd");
            assertThat(device.addressSpace()).isEqualTo(OptionalInt.of(42));
            assertThat(ModelNodes.left(folder)).hasSize(2);
          }
        });
    assertThat(ModelNodes.left(folder)).isEmpty();
    assertThat(model.calls)
        .containsExactly(
            "open vfio/devices/vfio0",
            "open iommu",
            "ioctl 3b81",
            "ioctl 3b76",
            "ioctl 3b77",
            "ioctl 3b6b");
  }

  @Test
  void theCharacterDeviceIsTakenBesideAGroupWhereItIsChosen() throws Exception {
    assertThat(open(NodeChoice.CDEV)).isNull();
    assertThat(model.calls).contains("open vfio/devices/vfio0").doesNotContain("open vfio/7");
    model.calls.clear();
    assertThat(open(NodeChoice.GROUP)).isNull();
    assertThat(model.calls).contains("open vfio/7").doesNotContain("open vfio/devices/vfio0");
  }

  @ParameterizedTest
  @EnumSource
  void whicheverStepFailsNothingIsLeftOpen(NodeChoice choice) throws Exception {
    assertThat(open(choice)).isNull();
    List<String> steps = List.copyOf(model.calls);
    assertThat(steps).hasSizeGreaterThan(5);
    for (int step = 0; step < steps.size(); step++) {
      model.calls.clear();
      model.refusedAt = step;
      DeviceException failure = open(choice);
      assertThat(failure).as("%s fails", steps.get(step)).isNotNull();
      assertThat(failure.errno()).isEqualTo(Errno.EIO.number());
      assertThat(failure.getMessage())
          .matches(".*(Nothing was done to the device|opened and closed again).*");
      assertThat(model.calls).as("nothing is tried after it").hasSize(step + 1);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aSignalAtEveryStepChangesNothing(NodeChoice choice) throws Exception {
    model.interrupting = true;
    assertThat(open(choice)).isNull();
  }

  @Test
  void aGroupThatIsNotViableNamesWhoIsInTheWay() throws Exception {
    bindAnotherDeviceOfTheGroupElsewhere();
    model.groupFlags = 0;
    DeviceException failure = open(NodeChoice.GROUP);
    assertThat(failure.kind()).isEqualTo(Kind.BUSY);
    assertThat(failure)
        .hasMessageContainingAll(
            "its IOMMU group 7 is not viable", "0000:65:00.0 (nvme)", UNTOUCHED);
    // For the character device there is no such question: binding it is refused.
    DeviceException bound = refused(NodeChoice.CDEV, "ioctl 3b76", Errno.EBUSY);
    assertThat(bound.kind()).isEqualTo(Kind.BUSY);
    assertThat(bound)
        .hasMessageContainingAll("0000:65:00.0 (nvme)", "Bind them to a VFIO driver", UNTOUCHED);
  }

  @Test
  void aDeviceInUseIsNotTakenForOneWhoseGroupIsNotViable() throws Exception {
    // As with mediated devices: alone in its group, and its driver's name does not mention VFIO.
    Path members = Files.createDirectories(folder.resolve("sysfs/iommu_group/devices"));
    Path driver = Files.createDirectories(folder.resolve("drivers/mtty"));
    Files.createSymbolicLink(folder.resolve("sysfs/driver"), driver);
    Files.createSymbolicLink(members.resolve("sysfs"), folder.resolve("sysfs"));
    for (Errno errno : new Errno[] {Errno.EINVAL, Errno.EBUSY}) {
      assertThat(refused(NodeChoice.CDEV, "ioctl 3b76", errno))
          .hasMessageContaining("another process has bound it, or has opened its group");
    }
  }

  private void bindAnotherDeviceOfTheGroupElsewhere() throws IOException {
    Path other = Files.createDirectories(folder.resolve("devices/0000:65:00.0"));
    Path driver = Files.createDirectories(folder.resolve("drivers/nvme"));
    Files.createSymbolicLink(other.resolve("driver"), driver);
    Path members = Files.createDirectories(folder.resolve("sysfs/iommu_group/devices"));
    Files.createSymbolicLink(members.resolve("0000:65:00.0"), other);
  }

  @Test
  void aKernelThatSpeaksAnotherVersionOrHasNoType1() throws Exception {
    model.version = 5;
    assertThat(open(NodeChoice.GROUP))
        .hasMessageContaining("speaks version 5 of VFIO and this agent version 0");
    model.version = 0;
    model.type1 = 0;
    assertThat(open(NodeChoice.GROUP))
        .hasMessageContainingAll(
            "no type 1 version 2 IOMMU", "Load the kernel module vfio_iommu_type1");
  }

  @Test
  void somebodyElseHasIt() throws Exception {
    for (DeviceException failure :
        new DeviceException[] {
          refused(NodeChoice.GROUP, "open vfio/7", Errno.EBUSY),
          refused(NodeChoice.GROUP, "ioctl 3b6a", Errno.EBUSY),
          refused(NodeChoice.CDEV, "ioctl 3b76", Errno.EBUSY),
          refused(NodeChoice.CDEV, "ioctl 3b76", Errno.EINVAL)
        }) {
      assertThat(failure.kind()).as(failure.getMessage()).isEqualTo(Kind.BUSY);
      assertThat(failure).hasMessageContainingAll("another process", UNTOUCHED);
    }
  }

  @Test
  void theAgentMayNot() throws Exception {
    for (Errno errno : new Errno[] {Errno.EACCES, Errno.EPERM}) {
      assertThat(refused(NodeChoice.GROUP, "open vfio/7", errno))
          .hasMessageContainingAll(
              "open(" + directory + "/7) failed: ",
              "the agent may not open it",
              "Let the agent's user read and write " + directory + "/7");
      assertThat(refused(NodeChoice.CDEV, "open iommu", errno))
          .hasMessageContaining("the agent may not open it");
    }
    for (String call : new String[] {"ioctl 3b68", "ioctl 3b66"}) {
      assertThat(refused(NodeChoice.GROUP, call, Errno.EPERM))
          .hasMessageContainingAll(
              "interrupt remapping", "allow_unsafe_interrupts of vfio_iommu_type1");
    }
    assertThat(refused(NodeChoice.CDEV, "ioctl 3b76", Errno.EPERM))
        .hasMessageContainingAll(
            "interrupt remapping", "allow_unsafe_interrupts of iommufd", UNTOUCHED);
  }

  @Test
  void whatWasRemovedOrIsTooOldOrTooMuch() throws Exception {
    assertThat(refused(NodeChoice.GROUP, "ioctl 3b6a", Errno.ENODEV))
        .hasMessageContainingAll(
            "no device of that name in IOMMU group 7", "Bind it to its VFIO driver.");
    assertThat(refused(NodeChoice.CDEV, "ioctl 3b77", Errno.ENODEV))
        .hasMessageContainingAll(
            "is not there any more", "opened and closed again, at which its driver may reset it");
    assertThat(refused(NodeChoice.CDEV, "ioctl 3b81", Errno.ENOTTY))
        .hasMessageContainingAll("IOMMU_IOAS_ALLOC failed", "Use a newer kernel");
    for (String call : new String[] {"open vfio/7", "ioctl 3b6a"}) {
      assertThat(refused(NodeChoice.GROUP, call, Errno.EMFILE))
          .hasMessageContaining("Raise the agent's limit of open files");
    }
  }
}
