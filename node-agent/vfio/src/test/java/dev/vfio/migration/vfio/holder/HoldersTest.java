package dev.vfio.migration.vfio.holder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.OpenDescriptors;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.linux.SharedFile;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The descriptor that is the device is found among real processes, or nothing is touched. */
@Timeout(120)
class HoldersTest {

  @TempDir Path folder;
  private StandInNode node;

  @BeforeEach
  void makeNode() throws IOException {
    node = new StandInNode(folder);
  }

  @AfterEach
  void endNode() throws InterruptedException {
    node.close();
  }

  private Holder found() throws DeviceException {
    return node.holders().of(node.device()).orElseThrow();
  }

  private static AbstractThrowableAssert<?, DeviceException> assertFails(
      Kind kind, ThrowingCallable action) {
    DeviceException failure = catchThrowableOfType(DeviceException.class, action);
    assertThat(failure).extracting(DeviceException::kind).isEqualTo(kind);
    return assertThat(failure);
  }

  @Test
  void nobodyHoldsAFreeDevice() throws Exception {
    assertThat(node.holders().of(node.device())).isEmpty();
  }

  @Test
  void whatThisProcessHoldsDoesNotCount() throws Exception {
    try (FileChannel device = FileChannel.open(node.deviceFile(), StandardOpenOption.READ);
        FileChannel group = FileChannel.open(node.group(node.group()), StandardOpenOption.READ)) {
      assertThat(node.holders().of(node.device())).isEmpty();
      assertThat(device.isOpen() && group.isOpen()).isTrue();
    }
  }

  @Test
  void theHolderIsNamedWithAllThatDistinguishesItFromOthers() throws Exception {
    StandInNode.Child child = node.startHolder();

    Holder holder = found();

    assertThat(holder.process()).isEqualTo(child.pid());
    assertThat(holder.descriptor()).isEqualTo(7);
    assertThat(holder.command()).isEqualTo("sleep");
    assertThat(holder.cgroup()).startsWith("/");
    assertThat(holder.user()).isEqualTo(Files.getAttribute(folder, "unix:uid"));
    assertThat(holder.virtualMachineMonitor()).isFalse();
    assertThat(holder.together()).containsExactly(child.pid());
    assertThat(holder.otherDevices()).isZero();
    assertThat(node.holders().processes().lives(child.pid(), holder.startTime())).isTrue();
  }

  @Test
  void anAdoptedDescriptorOutlivesItsHolder() throws Exception {
    StandInNode.Child child = node.startHolder();
    Holder holder = found();
    Map<String, Integer> before = OpenDescriptors.count(folder);

    try (Descriptor adopted = node.holders().adopt(holder)) {
      child.kill();

      assertThat(OpenFile.name(adopted)).isEqualTo(node.deviceFile().toString());
      assertThat(OpenFile.regularFileSize(adopted)).isEqualTo(StandInNode.IDS.length());
    }
    assertThat(OpenDescriptors.count(folder)).isEqualTo(before);
  }

  @Test
  void aStoppedHolderIsAdoptedAsWell() throws Exception {
    node.start("exec 7<>$DEVICE 8<>$GROUP; echo ready; kill -STOP $$");
    Holder holder = found();

    try (Descriptor adopted = node.holders().adopt(holder)) {
      assertThat(OpenFile.name(adopted)).isEqualTo(node.deviceFile().toString());
    }
  }

  @Test
  void aDeviceOfAGroupThatTheProcessDoesNotHoldIsNotThisOne() throws Exception {
    node.startWith("7<>$DEVICE");

    assertThat(node.holders().of(node.device())).isEmpty();
  }

  @Test
  void twoOpenFilesThatMayBeTheDeviceAreRefused() throws Exception {
    StandInNode.Child child = node.startWith("7<>$DEVICE 9<>$DEVICE 8<>$GROUP");

    assertFails(Kind.BUSY, () -> node.holders().of(node.device()))
        .hasMessageContaining(
            "2 different descriptors may be it: descriptor 7 of process %d, descriptor 9 of"
                + " process %d",
            child.pid(), child.pid())
        .hasMessageContaining("Nothing was done");
  }

  @Test
  void duplicatesOfOneOpenFileAreOneDevice() throws Exception {
    node.startWith("7<>$DEVICE 9<&7 8<>$GROUP");

    Holder holder = found();

    assertThat(holder.otherDevices()).isZero();
  }

  @Test
  void severalProcessesOfOneOpenFileAreOneHolderAndTheAncestorStandsForThem() throws Exception {
    StandInNode.Child parent =
        node.start("exec 7<>$DEVICE 8<>$GROUP; sleep 300 & sleep 300 & echo ready; wait");

    Holder holder = found();

    assertThat(holder.process()).isEqualTo(parent.pid());
    assertThat(holder.together()).hasSize(3).contains(parent.pid());
  }

  @Test
  void twoProcessesThatOpenedItEachAreRefused() throws Exception {
    node.startHolder();
    node.startHolder();

    assertFails(Kind.BUSY, () -> node.holders().of(node.device()))
        .hasMessageContaining("2 different descriptors may be it");
  }

  @Test
  void aSecondDeviceOfTheSameKindInTheGroupMakesItUncertain() throws Exception {
    node.member(node.group(), "0000:65:00.2", StandInNode.IDS);
    node.startHolder();

    assertFails(Kind.BUSY, () -> node.holders().of(node.device()))
        .hasMessageContaining(
            "may be it, or another device of the IOMMU groups [" + node.group() + "]");
  }

  @Test
  void theConfigurationSpaceDistinguishesDevicesOfDifferentKinds() throws Exception {
    node.member(node.group(), "0000:65:00.2", "8086:1572 0000:0000");
    StandInNode.Child child = node.startHolder();

    assertThat(found().process()).isEqualTo(child.pid());
    // The same descriptor is not the other device.
    assertFails(Kind.BUSY, () -> node.holders().of(node.device("8086:1572 0000:0000", "")))
        .hasMessageContaining("its configuration space does not say 8086:1572 0000:0000");
  }

  @Test
  void theOnlyCandidateIsComparedWithSysfsAsWell() throws Exception {
    // A descriptor that came from elsewhere, in a process that holds this device's group.
    Files.writeString(node.deviceFile(), "8086:1572 0000:0000");
    StandInNode.Child child = node.startHolder();

    assertFails(Kind.BUSY, () -> node.holders().of(node.device()))
        .hasMessageContainingAll(
            "descriptor 7 of process " + child.pid() + " may be it",
            "does not say " + StandInNode.IDS,
            "Nothing was done");
    assertThat(node.holders().of(node.device("", ""))).as("sysfs has no ids").isPresent();
  }

  @Test
  void aProcessWithMoreDevicesThanGroupsGotOneFromElsewhere() throws Exception {
    Files.writeString(folder.resolve("other-device"), "8086:1572 0000:0000");
    StandInNode.Child child = node.startWith("7<>$DEVICE 8<>$GROUP 9<>$FOLDER/other-device");
    Path proc = procOf(child);
    open(proc, child, 7, Path.of(Holders.DEVICE_LINK));
    open(proc, child, 8, node.group(node.group()));
    Holders holders = node.holders(proc, Holders.DEVICE_LINK);
    assertThat(holders.of(node.device())).as("with one device").isPresent();

    open(proc, child, 9, Path.of(Holders.DEVICE_LINK));

    assertFails(Kind.BUSY, () -> holders.of(node.device()))
        .hasMessageContaining("holds 2 VFIO devices and only 1 IOMMU groups");
  }

  /** A descriptor of the process in that proc. */
  private static void open(Path proc, StandInNode.Child child, int number, Path file)
      throws IOException {
    Path process = proc.resolve(Long.toString(child.pid()));
    Files.createSymbolicLink(process.resolve("fd/" + number), file);
    Files.writeString(process.resolve("fdinfo/" + number), "pos:\t0\nflags:\t02000002\n");
  }

  /** That process as it is, with descriptors that are called what the test wants. */
  private Path procOf(StandInNode.Child child) throws IOException {
    Path proc = folder.resolve("proc");
    String number = Long.toString(child.pid());
    Path process = Files.createDirectories(proc.resolve(number));
    Files.createSymbolicLink(proc.resolve("self"), Path.of("1"));
    Files.createDirectory(process.resolve("fd"));
    Files.createDirectory(process.resolve("fdinfo"));
    for (String fact : List.of("stat", "comm", "status", "cgroup", "exe")) {
      Files.createSymbolicLink(process.resolve(fact), Path.of("/proc", number, fact));
    }
    return proc;
  }

  @Test
  void aProcessWithTwoGroupsMayHoldADeviceOfEither() throws Exception {
    int other = node.addGroup();
    node.member(other, "0000:66:00.1", StandInNode.IDS);
    node.startWith("7<>$DEVICE 8<>$GROUP 9<>" + node.group(other));

    assertFails(Kind.BUSY, () -> node.holders().of(node.device()))
        .hasMessageContaining(
            "another device of the IOMMU groups " + new TreeSet<>(Set.of(node.group(), other)));
  }

  @Test
  void theNodeOfTheDeviceItselfSettlesIt() throws Exception {
    String name = node.addCharacterDevice();
    String other = node.addOtherCharacterDevice();
    StandInNode.Child child =
        node.start(
            "exec 5<>/dev/pts/" + other + " 6<>/dev/pts/" + name + "; echo ready; exec sleep 300");

    Holder holder = node.holders().of(node.device(StandInNode.IDS, name)).orElseThrow();

    assertThat(holder.process()).isEqualTo(child.pid());
    assertThat(holder.descriptor()).isEqualTo(6);
    assertThat(holder.otherDevices()).isEqualTo(1);
  }

  // ---------------------------------------------------------------- what only looks like a device

  @Test
  void aFileThatIsCalledLikeTheNodeOfTheDeviceIsNotIt() throws Exception {
    String name = node.addCharacterDevice();
    Files.writeString(folder.resolve("dev/vfio/devices").resolve(name), "any");
    node.start(
        "exec 6<>$FOLDER/dev/vfio/devices/" + name + " 8<>$GROUP; echo ready; exec sleep 300");

    assertThat(node.holders().of(node.device(StandInNode.IDS, name))).isEmpty();
  }

  @Test
  void whoHasAFileOfTheNodesNameDoesNotPassForTheHolder() throws Exception {
    String name = node.addCharacterDevice();
    Files.writeString(folder.resolve("dev/vfio/devices").resolve(name), "any");
    StandInNode.Child holder = node.startHolder();
    node.startWith("6<>$FOLDER/dev/vfio/devices/" + name);
    node.startWith("6<>$FOLDER/dev/vfio/devices/" + name);

    assertThat(node.holders().of(node.device(StandInNode.IDS, name)).orElseThrow().process())
        .isEqualTo(holder.pid());
  }

  @Test
  void aNodeOfThatNameAndOfAnotherNumberIsAnother() throws Exception {
    String name = node.addCharacterDevice();
    Files.writeString(
        folder.resolve("sys/devices/pci0000:64/" + StandInNode.ID + "/vfio-dev/" + name + "/dev"),
        "1:3\n");
    node.startWith("6<>/dev/pts/" + name);

    assertThat(node.holders().of(node.device(StandInNode.IDS, name))).isEmpty();
  }

  @Test
  void aFileThatIsCalledLikeTheGroupIsNotTheGroup() throws Exception {
    Path fake = Files.createFile(folder.resolve("dev/vfio/" + node.group()));
    node.startWith("7<>$DEVICE 8<>" + fake);

    assertThat(node.holders().of(node.device())).isEmpty();
  }

  @Test
  void aDescriptorThatOnlyNamesTheNodeHoldsNothing() throws Exception {
    String name = node.addCharacterDevice();
    StandInNode.Child child = node.startWith("7<>$DEVICE 8<>$GROUP");
    Path proc = procOf(child);
    Path fd = proc.resolve(child.pid() + "/fd");
    Path facts = proc.resolve(child.pid() + "/fdinfo");
    Holders holders = node.holders(proc, Holders.DEVICE_LINK);

    // By the name of the node, as any process can that sees it.
    Files.createSymbolicLink(fd.resolve("6"), Path.of("/dev/pts", name));
    Files.writeString(facts.resolve("6"), "pos:\t0\nflags:\t012000000\n");
    assertThat(holders.of(node.device("", name))).as("of the device's node").isEmpty();
    Files.writeString(facts.resolve("6"), "pos:\t0\nflags:\t02000002\n");
    assertThat(holders.of(node.device("", name))).as("opened").isPresent();
    Files.delete(fd.resolve("6"));

    // By the descriptor of one who has it open.
    open(proc, child, 7, Path.of(Holders.DEVICE_LINK));
    open(proc, child, 8, node.group(node.group()));
    assertThat(holders.of(node.device("", ""))).as("opened").isPresent();
    Files.writeString(facts.resolve("7"), "pos:\t0\nflags:\t012000000\n");
    assertThat(holders.of(node.device("", ""))).as("of the device").isEmpty();
    Files.writeString(facts.resolve("7"), "pos:\t0\nflags:\t02000002\n");
    Files.writeString(facts.resolve("8"), "pos:\t0\nflags:\t012000000\n");
    assertThat(holders.of(node.device("", ""))).as("of the group").isEmpty();
  }

  @Test
  void anOpenFileOfANameThatCannotBeAPathHereIsPassedOver() throws Exception {
    node.start("exec 6>\"$FOLDER/$(printf '\\377\\3767')\"; echo ready; exec sleep 300");
    StandInNode.Child holder = node.startHolder();

    assertThat(found().process()).isEqualTo(holder.pid());
  }

  // ---------------------------------------------------------------- while it is open here

  @Test
  void whileItIsOpenHereOnlyWhoSharesTheOpenFileHoldsIt() throws Exception {
    String name = node.addCharacterDevice();
    StandInNode.Child holder = node.startHolder();
    try (Descriptor open =
        node.holders().adopt(node.holders().of(node.device(StandInNode.IDS, name)).orElseThrow())) {
      StandInNode.Child other = node.startWith("6<>/dev/pts/" + name);
      NodeDevice device = node.device(StandInNode.IDS, name);
      assertThat(node.holders().of(device).orElseThrow().process())
          .as("by what can be seen, which is certain of another")
          .isEqualTo(other.pid());

      assertThat(node.holders().of(device, open).orElseThrow().process()).isEqualTo(holder.pid());
      holder.kill();
      assertThat(node.holders().of(device, open)).isEmpty();
    }
  }

  @Test
  void whileItIsOpenHereWhatElseMayBeItMakesNothingUncertain() throws Exception {
    StandInNode.Child holder = node.startHolder();
    Holder found = found();
    try (Descriptor open = node.holders().adopt(found)) {
      node.startHolder();
      node.member(node.group(), "0000:65:00.2", StandInNode.IDS);
      assertThatThrownBy(() -> node.holders().of(node.device()))
          .hasMessageContaining("different descriptors may be it");

      assertThat(node.holders().of(node.device(), open)).contains(found);
      assertThat(found.process()).isEqualTo(holder.pid());
    }
  }

  @Test
  void aDescriptorThatIsClosedHereSaysNothing() throws Exception {
    StandInNode.Child holder = node.startHolder();
    Descriptor closed = node.holders().adopt(found());
    closed.close();

    assertThat(node.holders().of(node.device(), closed).orElseThrow().process())
        .isEqualTo(holder.pid());
  }

  @Test
  void aVirtualMachineMonitorIsRecognisedByItsProgram() throws Exception {
    Path program = folder.resolve("qemu-system-x86_64");
    Files.copy(Path.of("/bin/sleep").toRealPath(), program);
    Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    node.start("exec 7<>$DEVICE 8<>$GROUP; echo ready; exec $FOLDER/qemu-system-x86_64 300");

    Holders holders = node.holders();
    // The shell becomes that program after it was ready.
    while (holders.of(node.device()).orElseThrow().command().equals("sh")) {
      Thread.onSpinWait();
    }

    assertThat(holders.of(node.device()).orElseThrow().virtualMachineMonitor()).isTrue();
  }

  @Test
  void aNumberThatAnotherProcessHasNowIsNotAdopted() throws Exception {
    node.startHolder();
    Holder holder = found();
    Holder earlier =
        new Holder(
            holder.device(),
            holder.process(),
            holder.startTime() - 1,
            holder.command(),
            holder.cgroup(),
            holder.user(),
            false,
            holder.descriptor(),
            holder.file(),
            Set.of(holder.process()),
            0);

    assertFails(Kind.UNREACHABLE, () -> node.holders().adopt(earlier))
        .hasMessageContaining("is another one now")
        .extracting(DeviceException::errno)
        .isEqualTo(3);
  }

  @Test
  void aHolderThatDiedIsNotAdopted() throws Exception {
    StandInNode.Child child = node.startHolder();
    Holder holder = found();
    child.kill();

    assertFails(Kind.UNREACHABLE, () -> node.holders().adopt(holder))
        .hasMessageContainingAll("cannot be adopted", "Nothing was done to the device");
  }

  @Test
  void aDescriptorThatBecameSomethingElseIsNotAdopted() throws Exception {
    Map<String, Integer> before = OpenDescriptors.count(folder);
    StandInNode.Child child =
        node.start(
            "exec 7<>$DEVICE 8<>$GROUP; echo ready; read line; exec 7<&8; echo changed; read line");
    Holder holder = found();
    assertThat(child.ask("change")).isEqualTo("changed");

    assertFails(Kind.BUSY, () -> node.holders().adopt(holder))
        .hasMessageContaining("is something else now");
    assertThat(OpenDescriptors.count(folder)).as("no duplicate is left").isEqualTo(before);
  }

  @Test
  void aDeviceThatWasOpenedAnewAtTheSameNumberIsNotTheOneThatWasFound() throws Exception {
    StandInNode.Child child =
        node.start(
            "exec 7<>$DEVICE 8<>$GROUP; echo ready; read line; exec 7<>$DEVICE; echo again;"
                + " read line");
    Holder holder = found();
    assertThat(child.ask("again")).isEqualTo("again");

    // It is the device all the same: what counts is what the number is now.
    try (SharedFile adopted = SharedFile.of(node.holders().adopt(holder))) {
      assertThat(adopted.size()).isEqualTo(StandInNode.IDS.length());
    }
  }

  // ---------------------------------------------------------------- what a newer kernel says

  @Test
  void thePathInSysfsSettlesItWhereTheKernelGivesIt() throws Exception {
    Path proc = procWithOneProcess("anon_inode:[vfio-device]");
    Path facts = proc.resolve("4711/fdinfo");
    Files.writeString(
        facts.resolve("7"),
        "pos:\t0\nflags:\t02000002\nvfio-device-syspath: " + node.device().sysfs() + "\n");

    Holder holder = node.holders(proc, Holders.DEVICE_LINK).of(node.device()).orElseThrow();

    assertThat(holder.process()).isEqualTo(4711);
    assertThat(holder.startTime()).isEqualTo(98765);
    assertThat(holder.command()).isEqualTo("dpdk (app)");
    assertThat(holder.cgroup()).isEqualTo("/kubepods/pod1");

    Files.writeString(
        facts.resolve("7"), "pos:\t0\nflags:\t02000002\nvfio-device-syspath: /sys/devices/other\n");
    assertThat(node.holders(proc, Holders.DEVICE_LINK).of(node.device())).isEmpty();
  }

  @Test
  void aProcessWithAVirtualMachineIsAMonitorWhateverItIsCalled() throws Exception {
    Path proc = procWithOneProcess("anon_inode:[vfio-device]");
    Files.createSymbolicLink(proc.resolve("4711/fd/9"), Path.of("anon_inode:kvm-vm"));
    Files.createSymbolicLink(proc.resolve("4711/fd/8"), node.group(node.group()));
    Files.writeString(proc.resolve("4711/fdinfo/7"), "pos:\t0\nflags:\t02000002\n");
    Files.writeString(proc.resolve("4711/fdinfo/8"), "pos:\t0\nflags:\t02000002\n");

    Holder holder = node.holders(proc, Holders.DEVICE_LINK).of(node.device("", "")).orElseThrow();

    assertThat(holder.virtualMachineMonitor()).isTrue();
  }

  private Path procWithOneProcess(String link) throws IOException {
    Path proc = folder.resolve("proc");
    Path process = Files.createDirectories(proc.resolve("4711"));
    Files.createSymbolicLink(proc.resolve("self"), Path.of("1"));
    Files.createDirectories(process.resolve("fd"));
    Files.createDirectories(process.resolve("fdinfo"));
    Files.createSymbolicLink(process.resolve("fd/7"), Path.of(link));
    Files.writeString(
        process.resolve("stat"),
        "4711 (dpdk (app)) S 1 4711 4711 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3\n");
    Files.writeString(process.resolve("comm"), "dpdk (app)\n");
    Files.writeString(process.resolve("status"), "Name:\tdpdk\nUid:\t1000\t1000\t1000\t1000\n");
    Files.writeString(process.resolve("cgroup"), "1:cpu:/x\n0::/kubepods/pod1\n");
    return proc;
  }
}
