package dev.vfio.migration.sandbox.cluster;

import dev.vfio.migration.sandbox.cluster.process.FileTree;
import dev.vfio.migration.sandbox.cluster.process.Supervisor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** Folders of the sandbox. */
final class WorkFolder {
  /** sun_path of struct sockaddr_un holds 108 bytes, the last one a NUL (unix(7)). */
  private static final int SOCKET_PATH_BYTES = 107;

  /** "/node-b/" and "/workload.sock" with a device name of ordinary length. */
  private static final int ROOM_FOR_NAME = 8 + 32 + 14;

  private WorkFolder() {}

  /** Makes {@code folder}, and removes what an earlier run left in it. */
  static Path emptied(Path folder) throws IOException {
    FileTree.delete(folder);
    return Files.createDirectories(folder);
  }

  /** The folder of a node's devices; an agent uses none that others may write to. */
  static Path ofDevices(Path folder) throws IOException {
    return Files.createDirectories(
        folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
  }

  /**
   * Where sockets may lie: in the work folder, or, where its path is too long for the address of a
   * Unix socket, in a short folder of its own that the supervisor removes at the end.
   */
  static Path forSockets(Path work, Supervisor supervisor) throws IOException {
    Path inside = work.resolve("run");
    if (inside.toString().getBytes(StandardCharsets.UTF_8).length + ROOM_FOR_NAME
        <= SOCKET_PATH_BYTES) {
      return Files.createDirectories(inside);
    }
    Path outside = Files.createTempDirectory(Path.of("/tmp"), "vfio-");
    supervisor.removeAtTheEnd(outside);
    return outside;
  }
}
