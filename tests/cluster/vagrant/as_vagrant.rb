# Loads a Vagrantfile as Vagrant does, without Vagrant, and prints as JSON what its machines are with one provider:
#   ruby as_vagrant.rb PROVIDER VAGRANTFILE
require "json"

PROVIDER = ARGV[0].to_sym

# What a provider is told of a machine.
class Own
  attr_reader :told

  def initialize
    @told = {}
  end

  def customize(key, value)
    @told[key] = value
  end

  def method_missing(name, value)
    @told[name.to_s.delete_suffix("=")] = value
  end

  def respond_to_missing?(*)
    true
  end
end

class Vm
  attr_accessor :hostname, :box, :post_up_message
  attr_reader :machines

  def initialize
    @machines, @networks, @steps, @own = {}, [], [], Own.new
  end

  def synced_folder(*, **); end

  def network(kind, ip:)
    @networks << [kind, ip]
  end

  def provision(name, type:, path:, env:)
    @steps << { name: name, type: type, path: path, env: env }
  end

  def define(name, primary:)
    @machines[name] = Machine.new(Vm.new)
    yield @machines[name]
  end

  def provider(name)
    yield @own, Machine.new(self) if name == PROVIDER
  end

  def summary
    { hostname: hostname, box: box, says: post_up_message, networks: @networks, steps: @steps, own: @own.told }
  end
end

Machine = Struct.new(:vm)

module Vagrant
  TOP = Machine.new(Vm.new)

  def self.configure(_version)
    yield TOP
  end
end

load ARGV[1]
puts JSON.generate(Vagrant::TOP.vm.machines.transform_values { |machine| machine.vm.summary })
