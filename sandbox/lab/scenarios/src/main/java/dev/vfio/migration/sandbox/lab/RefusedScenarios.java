package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import dev.vfio.migration.sandbox.cluster.migration.NodeDevice;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import dev.vfio.migration.sandbox.lab.Scenarios.Scenario;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * What must not be moved, or cannot: each is refused before anything was done to a device, and a
 * condition says which device, why, and what to do. Several of them in one scenario, because each
 * costs slow guests seconds. Used by one thread.
 */
record RefusedScenarios(LabCluster cluster, String plainDevice) {
  private static final Duration BOUND = Duration.ofSeconds(180);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(500);
  private static final int NOBODY = 65534;
  private static final int FURTHER_STEPS = 3;

  List<Scenario> all() {
    return List.of(
        new Scenario("refused: virtual machine monitors", false, this::monitors),
        new Scenario("refused: sources", false, this::sources),
        new Scenario("refused: destinations", false, this::destinations));
  }

  /** A monitor keeps part of the device's state: known by its name, and a real one. */
  private String monitors(String name) throws IOException, InterruptedException {
    GuestNode source = cluster.source();
    List<String> evidence = new ArrayList<>();
    try (Fixtures fixtures = new Fixtures(cluster.workload(), name)) {
      LabDevice named = fixtures.device(source, DeviceKind.REGION_2018);
      LabDevice real = fixtures.device(source, DeviceKind.REGION_V1);
      LabDevice to2018 = fixtures.device(cluster.destination(), DeviceKind.REGION_2018);
      LabDevice toV1 = fixtures.device(cluster.destination(), DeviceKind.REGION_V1);
      fixtures.program(
          source,
          "machine",
          "exec qemu-system-x86_64 -accel tcg -machine q35 -m 32 -nodefaults -no-user-config"
              + " -display none -device vfio-pci,sysfsdev=/sys/bus/mdev/devices/"
              + real.id());
      Path renamed = source.runDirectory().resolve("tmp/qemu-system-x86_64");
      source.run("cp %s %s".formatted(Shell.quoted(cluster.workload()), Shell.quoted(renamed)));
      LabWorkload owner = fixtures.owner(renamed, named, "owner", LabWorkload.Window.USUAL, "");
      evidence.add(
          refused(
              name + "-named", named.end(), to2018.end(), List.of("Validated"), monitor(named)));
      Waiting.until(
          "QEMU holds " + real.id(),
          BOUND,
          LOOK_AGAIN,
          () -> real.holders().stream().anyMatch(holder -> holder.contains("qemu-system")));
      List<String> before = DeviceTrace.of(real).states();
      evidence.add(
          "QEMU itself: "
              + refused(
                  name + "-real", real.end(), toV1.end(), List.of("Validated"), monitor(real)));
      requireUntouched(real, before);
      owner.awaitSteps(FURTHER_STEPS, BOUND);
    }
    return String.join("; ", evidence);
  }

  private static List<String> monitor(LabDevice device) {
    return List.of(
        device.id(), "virtual machine", "qemu-system-x86", "Nothing was", "its own means");
  }

  /** Devices that cannot leave the source. */
  private String sources(String name) throws IOException, InterruptedException {
    GuestNode source = cluster.source();
    try (Fixtures fixtures = new Fixtures(cluster.workload(), name)) {
      LabDevice to = fixtures.device(cluster.destination(), DeviceKind.REGION_V1);
      String two = twoCandidates(fixtures, name, to);
      LabDevice free = fixtures.device(source, DeviceKind.REGION_V1);
      String unused =
          refused(
              name + "-free",
              free.end(),
              to.end(),
              List.of("Validated"),
              List.of(free.id(), "no workload uses it", "Nothing was touched"));
      requireUntouched(free, List.of());
      LabDevice removed =
          LabDevice.create(source, DeviceKind.REGION_V1, UUID.randomUUID().toString());
      removed.remove();
      String absent =
          refused(
              name + "-removed",
              removed.end(),
              to.end(),
              List.of("Validated"),
              List.of(removed.id(), "no mediated device", "Create it", "Nothing was touched"));
      fixtures.atTheEnd(
          () -> source.run("echo %s >/sys/bus/pci/drivers_probe".formatted(plainDevice)));
      source.run("echo %s >/sys/bus/pci/drivers/vfio-pci/unbind".formatted(plainDevice));
      String unbound =
          refused(
              name + "-unbound",
              new NodeDevice(source.name(), plainDevice),
              to.end(),
              List.of("Validated"),
              List.of(plainDevice, "bound to no driver", "Bind it", "Nothing was touched"));
      return "two candidates: %s; nobody uses it: %s; mdev removed: %s; no VFIO driver: %s"
          .formatted(two, unused, absent, unbound);
    }
  }

  private String twoCandidates(Fixtures fixtures, String name, LabDevice to)
      throws IOException, InterruptedException {
    LabDevice one = fixtures.device(cluster.source(), DeviceKind.REGION_V1);
    LabDevice other = fixtures.device(cluster.source(), DeviceKind.REGION_V1);
    LabWorkload owner =
        fixtures.owner(
            cluster.workload(), one, "owner", LabWorkload.Window.USUAL, "--also " + other.id());
    List<String> before = DeviceTrace.of(one).states();
    String refusal =
        refused(
            name + "-two",
            one.end(),
            to.end(),
            List.of("Validated"),
            List.of(
                one.id(),
                "not certain which descriptor",
                "2 different descriptors",
                "Nothing was done",
                "let each process hold one device"));
    requireUntouched(one, before);
    requireUntouched(other, List.of());
    owner.awaitSteps(FURTHER_STEPS, BOUND);
    return refusal;
  }

  /** Devices that cannot receive at the destination. */
  private String destinations(String name) throws IOException, InterruptedException {
    try (Fixtures fixtures = new Fixtures(cluster.workload(), name)) {
      LabDevice from = fixtures.device(cluster.source(), DeviceKind.REGION_V1);
      LabWorkload owner = fixtures.owner(from, "owner");
      List<String> before = DeviceTrace.of(from).states();
      String evidence =
          String.join(
              "; ",
              strangerWaits(fixtures, name, from),
              inUse(fixtures, name, from),
              notOpened(fixtures, name, from));
      requireUntouched(from, before);
      owner.awaitSteps(FURTHER_STEPS, BOUND);
      return evidence;
    }
  }

  /** Only a program of another user waits for the device. */
  private String strangerWaits(Fixtures fixtures, String name, LabDevice from)
      throws IOException, InterruptedException {
    LabDevice alone = fixtures.device(cluster.destination(), DeviceKind.REGION_V1);
    LabWorkload stranger = fixtures.waitingAs(NOBODY, alone, "stranger");
    stranger.awaitLine("REFUSED errno=1 ", BOUND);
    String refusal =
        refused(
            name + "-alone",
            from.end(),
            alone.end(),
            List.of("Validated"),
            List.of(alone.id(), "nobody waits for it at", "handover.sock within", "runs as root"));
    requireUntouched(alone, List.of());
    return "a stranger was answered: %s; nobody waits: %s"
        .formatted(
            stranger.lines().stream().filter(it -> it.startsWith("REFUSED")).findFirst().get(),
            refusal);
  }

  /** A program works with the device already. */
  private String inUse(Fixtures fixtures, String name, LabDevice from)
      throws IOException, InterruptedException {
    LabDevice taken = fixtures.device(cluster.destination(), DeviceKind.REGION_V1);
    fixtures.owner(taken, "tenant");
    List<String> states = DeviceTrace.of(taken).states();
    String refusal =
        refused(
            name + "-taken",
            from.end(),
            taken.end(),
            List.of("Validated", "Succeeded"),
            List.of(taken.id(), "in use here by process", "not touched", "choose a free"));
    requireUntouched(taken, states);
    return "in use: " + refusal;
  }

  /**
   * A workload waits for the device, and the agent cannot open it: busy, and then without nodes.
   */
  private String notOpened(Fixtures fixtures, String name, LabDevice from)
      throws IOException, InterruptedException {
    GuestNode node = cluster.destination();
    LabDevice awaited = fixtures.device(node, DeviceKind.REGION_V1);
    LabWorkload waiting = fixtures.waiting(awaited, "waiting");
    waiting.awaitLine("CONNECTED", BOUND);
    String group = awaited.groupNode();
    fixtures.program(node, "group", "exec sleep 600 <>" + group);
    Waiting.until(
        "a program holds " + group, BOUND, LOOK_AGAIN, () -> !awaited.holders().isEmpty());
    String busy =
        refused(
            name + "-busy",
            from.end(),
            awaited.end(),
            List.of("Validated", "Succeeded"),
            List.of(awaited.id(), group, "EBUSY", "Nothing was done", "End that process"));
    requireUntouched(awaited, List.of());
    node.endProgram(name + "-group");
    node.run("mount -t tmpfs none /dev/vfio");
    String absent;
    try {
      absent =
          refused(
              name + "-nodes",
              from.end(),
              awaited.end(),
              List.of("Validated", "Succeeded"),
              List.of(awaited.id(), group, "ENOENT (2)", "Nothing was done", "the host's"));
    } finally {
      node.run("umount /dev/vfio");
    }
    requireUntouched(awaited, List.of());
    if (waiting.printed("RECEIVED")) {
      throw new IOException("a device was transferred to the waiting program after all");
    }
    return "group busy: %s; no /dev/vfio: %s".formatted(busy, absent);
  }

  /**
   * Applies a migration that must end as Failed.
   *
   * @param types of the condition that says why, any of them
   * @param words that its message has
   * @return that condition
   */
  private String refused(
      String name, NodeDevice from, NodeDevice to, List<String> types, List<String> words)
      throws IOException {
    AppliedMigration migration = cluster.migrate(name, from, to, true, false);
    try {
      return ConditionAssertions.refusal(migration.awaitPhase("Failed"), types, words);
    } finally {
      migration.deleteAndWait();
    }
  }

  private static void requireUntouched(LabDevice device, List<String> before)
      throws IOException, InterruptedException {
    List<String> states = DeviceTrace.of(device).states();
    if (!states.equals(before)) {
      throw new IOException(
          "%s of %s was refused and is not as it was: states %s were written, and %s before"
              .formatted(device.id(), device.node().name(), states, before));
    }
  }
}
