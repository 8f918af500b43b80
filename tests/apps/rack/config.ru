# SPDX-License-Identifier: ISC
# A Rack application behind Rack::MethodOverride, as Rails has it. It says which
# method it ran on which resource, and runs nothing.
$stdout.sync = true

Seen = Struct.new(:app) do
  def call(env)
    puts "seen #{env['REQUEST_METHOD']} #{env['REQUEST_URI']}"
    app.call(env)
  end
end

Ran = Struct.new(:resource) do
  def call(env)
    [200, { 'Ran' => "#{env['REQUEST_METHOD']} #{resource}" }, []]
  end
end

use Seen
use Rack::MethodOverride
map('/notes') { run Ran.new('notes') }
map('/') { run Ran.new('other') }
