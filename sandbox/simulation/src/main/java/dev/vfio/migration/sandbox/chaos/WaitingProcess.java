package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.vfio.transfer.machine.TransferAction.Message;

/** A process of a workload that waits for a device. Outlives the agent. */
final class WaitingProcess {
  private static final int NONE = -1;

  private final long number;
  private int connection = NONE;
  private boolean lives = true;
  private boolean told;
  private boolean uses;
  private String holds;
  private Message unread;

  WaitingProcess(long number) {
    this.number = number;
  }

  long number() {
    return number;
  }

  boolean lives() {
    return lives;
  }

  boolean connected() {
    return connection != NONE;
  }

  int connection() {
    return connection;
  }

  /** The migration that it received the device for; null where it has none. */
  String holds() {
    return holds;
  }

  /** Whether it was told to take the device, and did not refuse; also once it has ended. */
  boolean told() {
    return told;
  }

  boolean uses() {
    return uses;
  }

  /** What is in its socket; null where nothing is. */
  Message unread() {
    return unread;
  }

  void connect(int id) {
    connection = id;
  }

  void disconnect() {
    connection = NONE;
  }

  /** A message is in its socket; with the device it holds the device from now on. */
  void deliver(Message message, String migration) {
    unread = message;
    if (message == Message.DELIVER) {
      holds = migration;
    }
    told |= message == Message.TAKE;
  }

  void read() {
    unread = null;
  }

  void use() {
    uses = true;
  }

  void giveBack() {
    holds = null;
    told = false;
  }

  /** It has not done what it was asked. */
  void refuse() {
    if (unread == Message.DELIVER) {
      holds = null;
    }
    if (unread == Message.TAKE) {
      told = false;
    }
    unread = null;
  }

  void end() {
    lives = false;
    uses = false;
    holds = null;
    unread = null;
  }
}
